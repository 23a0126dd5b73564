"""The HTTP API and the explorer as a process: `python -m gateway.api_server --host H --port P`, home by `SPICE_HOME`.

Started by `spice dev` as one of its children, or by `spice serve` alone.
"""

import argparse
import contextlib
import gc
import socket
import sys

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()  # before anything that uses pyarrow: 45 MB of every process

import uvicorn  # noqa: E402

from gateway.domains import DEFS, domain_folders, domains  # noqa: E402
from gateway.http.app import create_app  # noqa: E402
from gateway.http.definitions import DefinitionFiles, DefinitionSource  # noqa: E402
from gateway.http.workers import run_workers  # noqa: E402
from gateway.web_guard import WebGuard, names_of  # noqa: E402
from ontology_assets.model.definitions import Domain  # noqa: E402
from resources.home import Home  # noqa: E402

SWITCH_SECONDS = 0.0002
"""A thread that works on a large answer gives the others their turn so often; Python's own 5 ms show in their times."""
KEEP_ALIVE_SECONDS = 75
PROCESSES = 2
"""One answers while the other works on a dear question; the second takes 30 MB of its own."""
GC_CONTAINERS = 20_000
"""Containers made between two looks for cycles; Python's own 700 come with every second answer."""


def project_definitions() -> DefinitionSource:
    """The files of this project as they are now, folders that were added included."""

    def load() -> list[Domain]:
        domain_folders.cache_clear()
        return domains()

    return DefinitionFiles(DEFS, load)


def serve(home: Home, host: str, port: int, source: DefinitionSource, processes: int = PROCESSES) -> None:
    """Answer until SIGTERM; SIGINT raises KeyboardInterrupt."""
    sys.setswitchinterval(SWITCH_SECONDS)
    # What is loaded by now stays; answers are made of many small containers and hold no cycles.
    gc.freeze()
    gc.set_threshold(GC_CONTAINERS)

    def answer(listening: socket.socket) -> None:
        config = uvicorn.Config(
            WebGuard(create_app(home, (), source=source), names_of(host)),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=2,
        )
        uvicorn.Server(config).run(sockets=[listening])

    run_workers(host, port, processes, answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        serve(Home.resolve(), given.host, given.port, project_definitions())


if __name__ == "__main__":
    main()
