"""Calls of functions in Python: rows go to a process of their own and come back as the columns that were declared.

The process has no environment of ours, an empty folder as its working directory, bounded memory, and a clock for each
batch. Whatever it does, the call ends, and what went wrong names the node, the function and the line.
"""

import base64
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from resources.errors import SpiceError
from transforms import udf_process
from transforms.types import parse_type
from transforms.udf_code import UdfCode

BATCH_ROWS = 65_536
START_SECONDS = 60.0
"""For Python and Arrow to start, on a machine that is busy."""


class UdfError(SpiceError):
    """A function failed, or gave what it did not declare."""

    kind = "urn:spice:udf-error"

    def __init__(self, udf: UdfCode, detail: str, where: str, line: int | None = None) -> None:
        self.line = line
        place = f"{udf.file}:{line}" if line else udf.file
        super().__init__("Function failed", f"{udf.name} version {udf.version} ({place}): {detail}", where=where)


def schema_of(columns: dict[str, str]) -> pa.Schema:
    kinds = {name: parse_type(kind) for name, kind in columns.items()}
    return pa.schema([pa.field(name, kind.arrow(), nullable=kind.nullable) for name, kind in kinds.items()])


def call_udf(udf: UdfCode, rows: pa.Table, *, where: str) -> pa.Table:
    """The columns that the function gives, one row for each of `rows`, which has the columns that it takes."""
    taken, given = schema_of(dict(udf.takes)), schema_of(dict(udf.gives))
    for field in taken:
        if not field.nullable and rows[field.name].null_count:
            detail = (
                f"its column '{field.name}' is declared without '?', and {rows[field.name].null_count} rows lack it."
            )
            raise UdfError(udf, detail, where)
    if rows.num_rows == 0:
        return given.empty_table()
    batches = rows.cast(taken).combine_chunks().to_batches(max_chunksize=BATCH_ROWS)
    done = _run(udf, taken, given, batches, where)
    if done.returncode != 0:
        raise _failure(udf, done, where)
    try:
        with pa.ipc.open_stream(done.stdout) as stream:
            result: pa.Table = stream.read_all()
    except pa.ArrowInvalid as error:
        raise UdfError(udf, "its process ended before it gave a result.", where) from error
    if result.num_rows != rows.num_rows:
        raise UdfError(udf, f"its process ended after {result.num_rows} of {rows.num_rows} rows.", where)
    return result


def _run(
    udf: UdfCode, taken: pa.Schema, given: pa.Schema, batches: list[pa.RecordBatch], where: str
) -> subprocess.CompletedProcess[bytes]:
    task = {
        "code": udf.code,
        "file": udf.file,
        "seconds": udf.seconds,
        "memory": udf.memory,
        "schema": base64.b64encode(given.serialize()).decode(),
    }
    sink = pa.BufferOutputStream()
    sink.write(json.dumps(task).encode() + b"\n")
    with pa.ipc.new_stream(sink, taken) as writer:
        for batch in batches:
            writer.write_batch(batch)
    with tempfile.TemporaryDirectory(prefix="spice-udf-") as folder:
        try:
            return subprocess.run(  # noqa: S603 - our own interpreter and file
                [sys.executable, "-I", "-X", "utf8", str(Path(udf_process.__file__))],
                input=sink.getvalue(),
                capture_output=True,
                cwd=folder,
                env={"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "TZ": "UTC"},
                timeout=START_SECONDS + udf.seconds * len(batches),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UdfError(udf, f"it took more than {udf.seconds:g} s for a batch and was killed.", where) from error


def _failure(udf: UdfCode, done: subprocess.CompletedProcess[bytes], where: str) -> UdfError:
    if done.returncode == -signal.SIGALRM:
        detail = f"it took more than {udf.seconds:g} s for a batch and was killed; see `seconds`."
        return UdfError(udf, detail, where)
    lines = done.stderr.decode("utf-8", "replace").rstrip().splitlines()
    last = lines[-1] if lines else ""
    if done.returncode != udf_process.FAILED:
        if "bad_alloc" in last or "MemoryError" in last:
            return UdfError(udf, _memory(udf), where)
        name = signal.Signals(-done.returncode).name if done.returncode < 0 else f"status {done.returncode}"
        return UdfError(udf, f"its process ended with {name}. {last[:300]}".rstrip(), where)
    told = json.loads(last)
    detail = _memory(udf) if told["kind"] == "memory" else f"{told['detail'].rstrip('.')}."
    return UdfError(udf, detail, where, told["line"])


def _memory(udf: UdfCode) -> str:
    return f"it needed more than {udf.memory} MiB and was stopped; see `memory`."
