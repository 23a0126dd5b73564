"""Many calls of the command line in one process: each line of stdin is `{"arguments", "stdin"}`, the answer is
`{"status", "out", "err"}`. Starting Python is most of what a small command takes."""

import contextlib
import io
import json
import sys

from gateway.cli import main


def call(arguments: list[str], given: str) -> dict[str, object]:
    """One command as a process would end it."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv, sys.stdin = ["spice", *arguments], io.StringIO(given)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main.main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    for line in sys.__stdin__ or ():
        request = json.loads(line)
        sys.__stdout__.write(json.dumps(call(request["arguments"], request["stdin"])) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]
