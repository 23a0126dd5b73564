"""Commits to a branch and promotions in child processes that kill themselves (SIGKILL) at their n-th step.

Each line of stdin is `{"do": "commit" | "promote", "root", "step"}`; a step is what a process does to the disk: a temp
file, a link, a Delta commit; n counts before and after each. The answer is the child's exit status: -9 = it came to
step n, 0 = it had fewer. Children are forked before anything was used that has threads.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake.transaction
import pyarrow as pa
from deltalake import DeltaTable

from resources.lake.base import Lake
from resources.lake.local import LocalLake
from resources.object_store.local import LocalObjectStore

NEW = "f" * 64


def rows(*values: str) -> pa.Table:
    return pa.table({"_partition": ["a"] * len(values), "value": list(values)})


def write(lake: Lake, table: str, version: str, *values: str) -> None:
    lake.replace(table, rows(*values), versions={"a": version}, partition_column="_partition")


def commit(lake: LocalLake) -> None:
    with lake.branches.transaction("try") as work:
        write(work, "t", NEW, "new")
        write(work, "u", NEW, "new")


def lay_traps(step: int) -> None:
    reached = 0

    def reach() -> None:
        nonlocal reached
        reached += 1
        if reached == step:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()

    def trapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            reach()
            done = original(*arguments, **more)
            reach()
            return done

        return call

    LocalObjectStore._write_temp = trapped(LocalObjectStore._write_temp)  # type: ignore[method-assign]
    os.link = trapped(os.link)
    deltalake.transaction.create_table_with_add_actions = trapped(deltalake.transaction.create_table_with_add_actions)
    DeltaTable.create_write_transaction = trapped(DeltaTable.create_write_transaction)  # type: ignore[method-assign]


def child(request: dict[str, Any]) -> None:
    lay_traps(request["step"])
    lake = LocalLake(Path(request["root"]))
    if request["do"] == "commit":
        commit(lake)
    else:
        lake.branches.promote("try")
    os._exit(0)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if process == 0:
            try:
                child(request)
            finally:
                os._exit(3)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
