"""The gateway as a real process, for tests that ask it as a client does: `served`, and what runs in the process.

`python -m tests.served HOME PORT FOLDER` serves a home by the definitions in one folder.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from resources.home import PROJECT_ROOT

FLIGHTS = PROJECT_ROOT / "orchestration" / "defs" / "nyc_flights"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path, folder: Path = FLIGHTS) -> Iterator[str]:
    """The gateway over a home; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.served", str(home), str(port), str(folder)],
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


def main() -> None:
    from gateway.api_server import serve
    from gateway.http.definitions import DefinitionFiles
    from ontology_assets.model.loading import load_domain
    from resources.home import Home

    home, port, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    source = DefinitionFiles(folder.parent, lambda: [load_domain(folder)])
    serve(Home(home), "127.0.0.1", port, source)


if __name__ == "__main__":
    main()
