"""The engine of table work: one Spark Connect session per process, on Sail in the same process by default.

`SPICE_SPARK_REMOTE` (`sc://host:port`) names a Spark Connect server to use instead. Everything is started on first
use and lives as long as the process: importing this module costs nothing, and the gateway, sensors and followers
never call `session`.

The settings that change what SQL means are fixed here, so that a result never depends on a server's defaults: UTC
(local times are converted by expressions, which name their time zone), and ANSI off, since a value that can't be cast
is a row for the quarantine and never the end of a job.
"""

import atexit
import os
import re
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.errors import SpiceError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.errors import PySparkException
    from pyspark.sql import DataFrame, SparkSession


class EngineError(SpiceError):
    """The engine could not finish; its own words are the detail."""

    kind = "urn:spice:engine-error"

    def __init__(self, said: str, *, where: str | None = None) -> None:
        super().__init__("Engine error", said, where=where, status=500)


REMOTE_VARIABLE = "SPICE_SPARK_REMOTE"
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./@+,=-]+")
_lock = threading.Lock()
_session: "SparkSession | None" = None
_server: Any = None


def session() -> "SparkSession":
    """The process's session."""
    global _session  # noqa: PLW0603 - one session per process is the point
    with _lock:
        if _session is None:
            _session = _create()
        return _session


def before_pyspark() -> None:
    """The environment that pyspark, and whoever looks for it, must find when it is imported.

    Where it is: the client wheel has no `spark-submit`, and importing `pyspark.sql.connect` without a SPARK_HOME ends
    the process wherever the main module is not a file: `python -c`, and each run worker that Dagster spawns.

    That zones count: pandera and `pyspark.pandas` tell Arrow to drop the offset of each Python datetime in this
    process where the variable is missing. Empty is Arrow's False.
    """
    os.environ["PYARROW_IGNORE_TIMEZONE"] = ""
    found = find_spec("pyspark")
    if found is not None and found.origin is not None:
        os.environ.setdefault("SPARK_HOME", str(Path(found.origin).parent))


def connect(remote: str) -> "SparkSession":
    """A new session of a Spark Connect server (`sc://host:port`), with our settings."""
    before_pyspark()
    from pyspark.sql import SparkSession

    created = SparkSession.builder.remote(remote).create()
    created.conf.set("spark.sql.session.timeZone", "UTC")
    created.conf.set("spark.sql.ansi.enabled", "false")
    return created


def _create() -> "SparkSession":
    created = connect(os.environ.get(REMOTE_VARIABLE) or _sail())
    if _server is not None:
        # At exit the client would tell the server to forget its models. Ours ends with the process, and has ended
        # already where a signal ended the run: then the client would ask it again and again, for minutes.
        atexit.unregister(created.client._on_exit)  # noqa: SLF001 - there is no public way
    return created


def _sail() -> str:
    """Address of this process's Sail server, started on a free port of the loopback address."""
    global _server  # noqa: PLW0603 - one server per process is the point
    if _server is None:
        os.environ.setdefault("RUST_LOG", "error")  # its start and each session are INFO lines on stderr otherwise
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
        _server = server
    host, port = _server.listening_address
    return f"sc://{host}:{port}"


def delta(
    spark: "SparkSession", path: str, partitions: list[str] | None = None, *, version: int | None = None
) -> "DataFrame":
    """The Delta table at `path`, of the named `_partition`s only (None = all), at a version (None = the newest).

    Sail finds no table below a folder with a blank, a letter outside ASCII or one of `# ? ~ [ ]` in its name; there the
    rows are handed to it instead, which takes longer and is the same.
    """
    from pyspark.sql import functions

    if not PLAIN_PATH.fullmatch(path) and REMOTE_VARIABLE not in os.environ:
        return from_arrow(spark, _rows(path, partitions, version))
    reader = spark.read.format("delta")
    frame = (reader if version is None else reader.option("versionAsOf", version)).load(path)
    if partitions is None:
        return frame
    return frame.where(functions.col("_partition").isin(*partitions))


def from_arrow(spark: "SparkSession", rows: "pa.Table") -> "DataFrame":
    """Rows that are here, handed to the engine. The client refuses a table without rows, whatever its columns."""
    import pyarrow as pa
    from pyspark.sql import functions

    if rows.num_rows:
        return spark.createDataFrame(rows)
    one = pa.table([pa.nulls(1, field.type) for field in rows.schema], names=rows.schema.names)
    return spark.createDataFrame(one).where(functions.expr("FALSE"))


def _rows(path: str, partitions: list[str] | None, version: int | None) -> "pa.Table":
    from deltalake import DeltaTable

    predicate = None if partitions is None else [("_partition", "in", partitions)]
    return (
        DeltaTable(Path(path).as_uri(), version=version).to_pyarrow_dataset(file_pruning_predicate=predicate).to_table()
    )


def to_arrow(frame: "DataFrame") -> "pa.Table":
    """The rows of a frame. The caller bounds them: everything is held in memory. Raises EngineError."""
    from pyspark.errors import PySparkException

    try:
        return frame.toArrow()
    except PySparkException as error:
        raise _said(error) from error


def arrow_parts(frame: "DataFrame", rows: int) -> "Iterator[pa.Table]":
    """The rows of a frame as they come, at least `rows` at once but for the last; one empty part where there are none.

    So much is held in memory, whatever the frame's size. Raises EngineError.
    """
    import pyarrow as pa
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.dataframe import DataFrame as Remote

    assert isinstance(frame, Remote)  # noqa: S101 - the session is made by `remote`
    # What toLocalIterator reads; it makes a Python object of each row.
    client, plan = frame._session.client, frame._plan  # noqa: SLF001
    waiting: list[pa.Table] = []
    given = False
    try:
        for part in client.to_table_as_iterator(plan.to_proto(client), plan.observations):
            if isinstance(part, pa.Table):
                waiting.append(part)
            if sum(one.num_rows for one in waiting) >= rows:
                yield pa.concat_tables(waiting)
                waiting, given = [], True
    except PySparkException as error:
        raise _said(error) from error
    if waiting or not given:
        yield pa.concat_tables(waiting) if waiting else to_arrow(frame.limit(0))


def _said(error: "PySparkException") -> EngineError:
    return EngineError(str(error.getMessage() or error).split("\n", 1)[0][:1000])
