"""The gateway for tests: `served` as a real process, `inside` in this one.

`python -m tests.served HOME PORT FOLDER PROCESSES` serves a home by the definitions in one folder.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from gateway.api_server import PROCESSES, serve
from gateway.http.app import create_app
from gateway.http.definitions import DefinitionFiles
from gateway.web_guard import WebGuard, names_of
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from resources.home import PROJECT_ROOT, Home

FLIGHTS = PROJECT_ROOT / "orchestration" / "defs" / "nyc_flights"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path, folder: Path = FLIGHTS, processes: int = PROCESSES) -> Iterator[str]:
    """The gateway over a home; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.served", str(home), str(port), str(folder), str(processes)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "SPICE_GATEWAY_URL": address},
    )
    try:
        wait(address, server)
        yield address
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)


def wait(address: str, server: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        assert server.poll() is None, f"the server ended with status {server.returncode}"
        try:
            httpx.get(f"{address}/openapi.json")
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"no answer within {seconds} s"
            time.sleep(0.1)
        else:
            return


class Inside:
    """Asks an application in this process, guarded as it is served, a request after the other or many at once."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._guarded = WebGuard(app, names_of("127.0.0.1"))
        self._runner = asyncio.Runner()

    def ask(self, method: str, address: str, **more: Any) -> httpx.Response:
        return self.together([(method, address, more)])[0]

    def together(self, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        async def all_at_once() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=self._guarded, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await asyncio.gather(*(client.request(m, a, **more) for m, a, more in requests))

        return self._runner.run(all_at_once())

    def close(self) -> None:
        self._runner.run(asyncio.sleep(0))
        self.app.state.commands.close()
        self.app.state.serving.close()
        self._runner.close()


@contextmanager
def inside(home: Path, domains: list[Domain], **options: Any) -> Iterator[Inside]:
    asker = Inside(create_app(Home(home), domains, **options))
    yield asker
    asker.close()


def main() -> None:
    home, port, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    source = DefinitionFiles(folder.parent, lambda: [load_domain(folder)])
    with suppress(KeyboardInterrupt):
        serve(Home(home), "127.0.0.1", port, source, int(sys.argv[4]))


if __name__ == "__main__":
    main()
