"""Runs of a domain's job in child processes, which may kill themselves at a named point (SIGKILL: no handler sees it).

`python run_server.py` in a project's folder: each line of stdin is `{"home", "job", "point", "only", "config"}`; the
answer is `{"status", "outcome"}` with the child's exit status (-9 = it reached the point). Children are forked after Dagster and
the rules' libraries are imported, which is what most of a small run's time goes to. A point is `table <name>` (right
after its Delta commit), `before <asset>` (before the envelope is appended), `after <asset>` (right after it, before the
asset returns), one of tests/kills/points.py (`append: linked put record`), or empty.
"""

import functools
import importlib
import importlib.util
import inspect
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from ontology_assets.events.log import EventLog
from orchestration import launch
from orchestration.components import domain as component
from resources.home import Home
from resources.lake.writer import LocalWriter
from resources.spark import before_pyspark

ENGINE = ("pyspark.sql.connect.session", "pyspark.sql.connect.functions", "pandas", "deltalake", "pysail.spark")
INSTANCE = ("resources.dagster_storage", "resources.dagster_logs", "dagster._daemon.asset_daemon")
RULES = ("pandera.pandas", "great_expectations")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def asset_of(decide: Any) -> str:
    """Whose envelope an append is about."""
    if isinstance(decide, functools.partial):
        return str(decide.args[0].asset)
    return str(inspect.getclosurevars(decide).nonlocals["asset"])


def lay_trap(point: str) -> None:
    """Wrap the two places where a run writes something that lasts."""
    if ": " in point:
        traps = loaded(Path(__file__).parent / "kills" / "traps.py")
        traps.install(traps.Trap(point.partition(": ")[2], 1))
        return
    kind, _, name = point.partition(" ")
    append, publish = EventLog.append, LocalWriter._publish

    def trapped_append(self: EventLog, heads: Any, decide: Any, **more: Any) -> Any:
        mine = asset_of(decide) == name
        if mine and kind == "before":
            kill()
        commit = append(self, heads, decide, **more)
        if mine and kind == "after" and commit is not None and not commit.already:
            kill()
        return commit

    def trapped_publish(self: LocalWriter, *arguments: Any, **more: Any) -> None:
        publish(self, *arguments, **more)
        if kind == "table" and self._table == name:
            kill()

    EventLog.append = trapped_append  # type: ignore[method-assign]
    LocalWriter._publish = trapped_publish  # type: ignore[method-assign]


def loaded(file: Path) -> Any:
    """A module of the tests, which are no package in a project's folder."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def child(request: dict[str, Any]) -> None:
    """One run; never returns."""
    os.environ["SPICE_HOME"] = request["home"]
    log = os.open(f"{request['home']}/run.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    lay_trap(request["point"])
    try:
        component.declared_domains.cache_clear()  # the files may have changed since this process was started
        component._load.cache_clear()
        outcome = launch.launch(
            Home(Path(request["home"])),
            request["job"],
            request["partitions"],
            bars=True,
            only=request.get("only"),
            config=request.get("config"),
        )
    except BaseException:  # noqa: BLE001 - a forked child never returns into the server's loop
        traceback.print_exc()
        os._exit(3)
    (Path(request["home"]) / "outcome.json").write_text(json.dumps(outcome))
    os._exit(0 if outcome["success"] else 1)


def main() -> None:
    before_pyspark()
    for module in (*ENGINE, *INSTANCE, *(RULES if "--rules" in sys.argv else ())):
        importlib.import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        written = Path(request["home"]) / "outcome.json"
        written.unlink(missing_ok=True)
        process = os.fork()
        if process == 0:
            child(request)
        _, status = os.waitpid(process, 0)
        outcome = json.loads(written.read_text()) if written.exists() else None
        answer = {"status": os.waitstatus_to_exitcode(status), "outcome": outcome}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
