"""The process that a function in Python runs in: batches in on stdin, batches out on stdout, and nothing else.

It is started as a file in Python's isolated mode, so it imports nothing of ours. Its first line of input is JSON: the
code, the name of its file, its limits and the schema of what it gives. After it come batches as an Arrow stream. The
result is an Arrow stream too; where it fails, the last line of stderr is JSON that says why.
"""

import base64
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc

FAILED = 3
TRIED_TWICE = 64
"""Rows of the first batch that are given once more, in reverse, to see that a row's result is its own."""
REFUSED_EVENTS = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
)
Transform = Callable[[pa.RecordBatch], object]


class Failed(Exception):
    """What is wrong with the function or with what it gave."""

    def __init__(self, kind: str, detail: str, line: int | None = None) -> None:
        super().__init__(detail)
        self.kind, self.line = kind, line


def main() -> None:
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints is no part of its result
    task = json.loads(sys.stdin.buffer.readline())
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(task["schema"])))
    try:
        bound_memory(task["memory"])
        signal.setitimer(signal.ITIMER_REAL, task["seconds"])
        function = Function(defined(task["code"], task["file"]), task["file"], schema)
        with pa.ipc.open_stream(sys.stdin.buffer) as batches, pa.ipc.new_stream(results, schema) as writer:
            for ordinal, batch in enumerate(batches):
                signal.setitimer(signal.ITIMER_REAL, task["seconds"])
                given = function.given(batch)
                if ordinal == 0:
                    function.check_rows_alone(batch, given)
                signal.setitimer(signal.ITIMER_REAL, 0)  # whoever reads may be slow
                writer.write_batch(given)
        results.flush()
    except Failed as failed:
        fail(failed.kind, str(failed), failed.line)
    except MemoryError:
        fail("memory", "")


def fail(kind: str, detail: str, line: int | None = None) -> NoReturn:
    signal.setitimer(signal.ITIMER_REAL, 0)
    sys.stdout.flush()
    sys.stderr.write("\n" + json.dumps({"kind": kind, "detail": detail[:500], "line": line}) + "\n")
    sys.stderr.flush()
    os._exit(FAILED)


def bound_memory(mebibytes: int) -> None:
    """What is there already, and so much more. (macOS knows the limit and does not keep to it.)"""
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - nothing more is imported than needed
            used = int(statm.read().split()[0]) * resource.getpagesize()
        most = used + mebibytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def defined(code: str, file: str) -> Transform:
    """The function `transform` of the code."""
    sys.addaudithook(refuse)
    names: dict[str, object] = {"__name__": "udf", "__file__": file}
    try:
        exec(compile(code, file, "exec"), names)  # noqa: S102 - that is what this process is for
    except (MemoryError, SyntaxError) as error:
        if isinstance(error, SyntaxError):
            raise Failed("code", f"it is not Python: {error.msg}", error.lineno) from error
        raise
    except BaseException as error:  # whatever it raises, SystemExit too, is told
        raise Failed("raised", said(error), line_in(error, file)) from error
    transform = names.get("transform")
    if not callable(transform):
        raise Failed("code", "it defines no function `transform(batch)`")
    return transform


def refuse(event: str, _: object) -> None:
    if event in REFUSED_EVENTS:
        raise PermissionError(f"a function has no network and no other processes ({event})")


class Function:
    """The function with what it declared: `schema` is that of its result."""

    def __init__(self, transform: Transform, file: str, schema: pa.Schema) -> None:
        self.transform, self.file, self.schema = transform, file, schema

    def given(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What it gives for one batch, checked."""
        try:
            given = self.transform(batch)
        except MemoryError:  # Arrow's own is one too
            raise
        except BaseException as error:  # whatever it raises, SystemExit too, is told
            raise Failed("raised", said(error), line_in(error, self.file)) from error
        if not isinstance(given, pa.RecordBatch):
            raise Failed("result", f"transform(batch) gave {type(given).__name__}, not a pyarrow.RecordBatch")
        if given.num_rows != batch.num_rows:
            raise Failed("result", f"it was given {batch.num_rows} rows and gave {given.num_rows}")
        if given.schema.names != self.schema.names:
            raise Failed("result", f"it gave the columns {given.schema.names}, declared are {self.schema.names}")
        for column, field in zip(given.columns, self.schema, strict=True):
            check_column(column, field)
        return pa.RecordBatch.from_arrays(given.columns, schema=self.schema)

    def check_rows_alone(self, batch: pa.RecordBatch, given: pa.RecordBatch) -> None:
        """Batches are cut anywhere and rows come in any order: some rows in another company must give the same."""
        count = min(batch.num_rows, TRIED_TWICE)
        backwards = pa.array([*range(count - 1, -1, -1), 0], pa.int64())  # one more, as their number may not count
        again = self.given(batch.take(backwards))
        for name, before, after in zip(self.schema.names, given.take(backwards).columns, again.columns, strict=True):
            if not before.equals(after):
                raise Failed(
                    "result",
                    f"its column '{name}' is another for the same row in another batch: a row's result may depend on "
                    "that row only, not on other rows, chance or time",
                )


def check_column(column: pa.Array, field: pa.Field) -> None:
    if column.type != field.type:
        raise Failed("result", f"its column '{field.name}' is {column.type}, declared is {field.type}")
    column.validate(full=True)
    if column.null_count and not field.nullable:
        row = column.is_null().index(pa.scalar(value=True)).as_py()
        raise Failed("result", f"its column '{field.name}' is null in row {row} of a batch, declared without '?'")
    if pa.types.is_floating(column.type):
        finite = pc.fill_null(pc.is_finite(column), pa.scalar(value=True))
        row = finite.index(pa.scalar(value=False)).as_py()
        if row >= 0:
            raise Failed("result", f"its column '{field.name}' is {column[row]} in row {row} of a batch; give null")


def said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def line_in(error: BaseException, file: str) -> int | None:
    """The last line of the function's own file that the error came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


if __name__ == "__main__":
    main()
