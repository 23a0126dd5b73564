"""Fills, swaps, undos, aborts and sweeps, each in a child that dies where it is told to: `python -m tests.kills.turns HOME`.

Each line of stdin is `{"do", "projection", "point"?, "hit"?, "control"?}`, answered by `{"status", "said", "seconds"}`;
status -9 is a kill. Children are forked after everything is loaded, so that one costs its work alone.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ontology_assets.projections import comparison
from ontology_assets.projections.comparison import ALL_BUCKETS
from ontology_assets.projections.rebuild import alias, fill, swap, undo
from ontology_assets.projections.rebuild.place import Place, open_place
from ontology_assets.projections.rebuild.record import Records
from ontology_assets.projections.rebuild.sweep import sweep
from ontology_assets.projections.repair import verify
from ontology_assets.projections.sinks import ProjectionSink
from resources.errors import SpiceError
from resources.home import Home
from resources.lake import local as _loaded  # noqa: F401  once, not in each child
from resources.read_model.generations import Generations
from resources.read_model.sqlite_writer import SqliteWriter
from resources.registry.sql import SqliteRegistry
from tests.contracts.library import LIBRARY
from tests.kills.traps import Trap, replace

POINTS = {
    "fill: before the record": "nothing is there",
    "fill: recorded": "the rebuild is open, its generation has no file",
    "fill: file made": "an empty file",
    "fill: half of a bucket": "in the transaction of a bucket",
    "fill: bucket stored": "the bucket is there, unproved",
    "fill: bucket proved": "some buckets are proved, some not there",
    "swap: before catching up": "all buckets are proved",
    "swap: in catching up": "some of the live writes are applied",
    "swap: before the check": "caught up",
    "swap: lock taken": "compared, nobody can write to the generation that is asked",
    "swap: said": "the record says so",
    "swap: claimed": "the followers have to claim it anew",
    "swap: link made": "beside the alias",
    "swap: alias moved": "asked, and not synced to the disk",
    "swap: alias synced": "asked, and no record of it",
    "swap: pair recorded": "an undo is possible, the rebuild is still open",
    "undo: before catching up": "nothing has changed",
    "undo: lock taken": "nobody can write to the generation that is asked",
    "undo: said": "noted for Dagster",
    "undo: window prolonged": "the alias is where it was",
    "undo: claimed": "the followers have to claim it anew",
    "undo: link made": "beside the alias",
    "undo: alias moved": "asked again",
    "abort: said": "the rebuild is ended, its file is there",
    "sweep: half of a generation": "one of its three files is gone",
}


def before(owner: Any, name: str, reach: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def trapped(*given: Any, **more: Any) -> Any:
        reach()
        return original(*given, **more)

    replace(owner, **{name: trapped})


def after(owner: Any, name: str, reach: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def trapped(*given: Any, **more: Any) -> Any:
        done = original(*given, **more)
        reach()
        return done

    replace(owner, **{name: trapped})


def lay(trap: Trap, do: str) -> None:
    """The traps of one kind of work, at the functions that ship."""

    def at(name: str) -> Callable[[], None]:
        return lambda: trap.reach(f"{do}: {name}")

    if do == "fill":
        before(Records, "open", at("before the record"))
        after(Records, "open", at("recorded"))
        after(SqliteWriter, "begin_at", at("file made"))
        _in_content(at("half of a bucket"))
        before(Records, "prove", at("bucket stored"))
        after(Records, "prove", at("bucket proved"))
        return
    work = swap if do == "swap" else undo
    if do in ("swap", "undo"):
        before(work, "catch_up_all", at("before catching up"))
        after(ProjectionSink, "apply", at("in catching up"))
        before(Place, "compare", at("before the check"))
        after(alias, "_take_from_all", at("claimed"))
        _in_moves(at)
        after(Generations, "point_to", at("alias synced"))
    if do == "swap":
        before(Records, "change", at("lock taken"))
        after(Records, "change", at("said"))
        after(Records, "keep", at("pair recorded"))
    elif do == "undo":
        before(Records, "tell_of", at("lock taken"))
        after(Records, "tell_of", at("said"))
        after(Records, "keep", at("window prolonged"))
    elif do == "abort":
        after(Records, "change", at("said"))
    elif do == "sweep":
        before(Path, "unlink", at("half of a generation"))


def _in_content(reach: Callable[[], None]) -> None:
    log_content = comparison.log_content

    def trapped(*given: Any) -> Iterator[Any]:
        for changes in log_content(*given):
            yield changes
            reach()

    replace(fill, log_content=trapped)


def _in_moves(at: Callable[[str], Callable[[], None]]) -> None:
    """The link beside the alias, and the rename that puts it in the alias' place."""
    move = Path.replace

    def trapped(self: Path, target: Any) -> Any:
        ours = self.name.startswith((".search.sqlite.", ".graph.sqlite."))
        if ours:
            at("link made")()
        done = move(self, target)
        if ours:
            at("alias moved")()
        return done

    replace(Path, replace=trapped)


def without_the_lock() -> None:
    """Control: the alias is moved while the former generation is written to, and without a last look at the log."""

    @contextmanager
    def unheld(place: Place) -> Iterator[str | None]:
        asked = place.generations.current()
        time.sleep(0.7)
        yield asked

    replace(swap, alias_held=unheld)
    replace(alias, catch_up_all=lambda *_: None)


def before_it_is_complete() -> None:
    """Control: whatever is filled is asked."""
    vars(swap).update(ALL_BUCKETS=(), _refuse_differences=lambda *_: None)


CONTROLS = {"without_the_lock": without_the_lock, "before_it_is_complete": before_it_is_complete}


def work(place: Place, do: str, request: dict[str, Any]) -> Any:
    """What a command or an asset calls."""
    if do == "fill":
        rebuild = fill.open_rebuild(place)
        for bucket in request.get("buckets", ALL_BUCKETS):
            if bucket not in rebuild.proofs:
                rebuild = fill.fill_bucket(place, rebuild, bucket)
        return rebuild.generation
    if do == "swap":
        return swap.swap(place).generation
    if do == "undo":
        done = undo.undo(place, request["asked"])
        return {"generation": done.generation, "behind": done.behind}
    if do == "abort":
        return str(swap.abort(place).stage)
    if do == "sweep":
        return sweep(place)
    assert do == "verify"
    return [bucket for one in verify(place) for bucket in one.different]


def child(home: Path, request: dict[str, Any], told: int) -> None:
    """One piece of work; never returns."""
    do, began = request["do"], time.monotonic()
    lay(Trap(request.get("point", ""), request.get("hit", 1)), do)
    if request.get("control"):
        CONTROLS[request["control"]]()
    status = 0
    try:
        registry = SqliteRegistry(Home(home).registry)
        said = work(open_place(Home(home), request["projection"], [LIBRARY], registry, owner="turns"), do, request)
    except SpiceError as fault:
        status, said = 1, fault.text()
    except BaseException:  # noqa: BLE001  a forked child never returns into the server's loop
        status, said = 3, traceback.format_exc()
    os.write(told, json.dumps({"said": said, "seconds": time.monotonic() - began}).encode())
    os._exit(status)


def main() -> None:
    home = Path(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        reads, writes = os.pipe()
        process = os.fork()
        if process == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a trap says on stdout that it dies
            child(home, request, writes)
        os.close(writes)
        with os.fdopen(reads) as pipe:
            text = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        answer = {"status": status, **(json.loads(text) if text else {"said": None, "seconds": None})}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
