"""A home in use: `python -m tests.kills.living HOME` writes event after event (`ledger.py`) and follows the log with the
read models that are asked and with the generations that an undo would ask, as the follower's job does.
"""

import sys
import threading
import time
from itertools import count
from pathlib import Path

from ontology_assets.followers.follow import follow
from ontology_assets.followers.progress import StopReason, Timing
from ontology_assets.projections.rebuild.retired import keep_up
from tests.contracts.library import LIBRARY
from tests.contracts.library_log import LibraryHome
from tests.kills.ledger import BASE, change

EVERY, SEAL_EVERY = 0.1, 40
"""Seconds from one event to the next; events from one sealing to the next."""
FOREVER = 3600.0


def follow_asked(home: Path, projection: str, stop: threading.Event) -> None:
    mine = LibraryHome(home)
    sink = mine.live(projection)
    follow(
        mine.log,
        sink,
        mine.registry,
        owner=f"follower of {projection}",
        until=time.monotonic() + FOREVER,
        stop=lambda: StopReason.REQUESTED if stop.is_set() else None,
        timing=Timing(poll=0.05),
    )
    sink.close()


def follow_kept(home: Path, projection: str, stop: threading.Event) -> None:
    mine = LibraryHome(home)
    while not stop.wait(0.2):
        keep_up(mine.home, projection, [(LIBRARY, mine.log)], mine.registry, owner="follower", run_id="")


def until_told(stop: threading.Event) -> None:
    sys.stdin.readline()
    stop.set()


def main() -> None:
    home, stop = Path(sys.argv[1]), threading.Event()
    library = LibraryHome(home)
    library.append([change(n) for n in range(1, BASE + 1)])
    library.seal()
    for projection in ("search", "graph"):
        library.follow(projection)
    threads = [
        threading.Thread(target=work, args=(home, projection, stop), daemon=True)
        for projection in ("search", "graph")
        for work in (follow_asked, follow_kept)
    ]
    for thread in threads:
        thread.start()
    threading.Thread(target=until_told, args=(stop,), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for n in count(BASE + 1):
        if stop.wait(EVERY):
            break
        library.append([change(n)])
        if n % SEAL_EVERY == 0:
            library.seal()
    for thread in threads:
        thread.join(10)


if __name__ == "__main__":
    main()
