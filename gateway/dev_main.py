"""The process of `spice dev`: the command line gives way to it, so that what supervises stays small.

The command line loads every command (74 MB of memory), the supervisor none of them (17 MB); it lives as long as the UI.
"""

import argparse
import os
import sys
from pathlib import Path

from gateway.dev import run_dev
from resources.errors import SpiceError
from resources.home import Home


def become_dev(home: Home, host: str, port: int, gateway_port: int) -> None:
    """Turn the calling process into the supervisor; does not return. Its pid stays, so signals reach it."""
    numbers = ["--port", str(port), "--gateway-port", str(gateway_port)]
    command = [sys.executable, "-m", "gateway.dev_main", "--home", str(home.root), "--host", host, *numbers]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, command)  # noqa: S606 - our own module


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--gateway-port", type=int, required=True)
    given = parser.parse_args()
    try:
        return run_dev(Home(given.home), host=given.host, port=given.port, gateway_port=given.gateway_port)
    except SpiceError as error:
        sys.stderr.write(f"error: {error.text()}\n")
        return 1 if error.status >= 500 else 2


if __name__ == "__main__":
    sys.exit(main())
