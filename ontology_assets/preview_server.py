"""`python -m ontology_assets.preview_server`: previews of pipelines on an engine that stays warm between them.

One request is one line of JSON on a connection to 127.0.0.1, the answer is one line: a preview's document, or the
problem because of which there is none. Whoever asks shows the secret that is in the file beside the port, which only
its owner can read. Definitions and tables are read anew for each request. The process writes nothing but that file, and
ends by itself: when nobody asked for a while, when the home is gone, when it is told to.
"""

import argparse
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from resources.errors import SpiceError
from resources.home import Home
from resources.lake.local import LocalLake
from resources.spark import session
from transforms.parameters import assignments, with_values
from transforms.pipeline import PipelineTables
from transforms.preview.document import preview

LOOK_SECONDS = 5.0
"""How often it looks whether it is still wanted."""
MAX_REQUEST = 1 << 20


def place_file(home: Home) -> Path:
    """Where the running process says how to reach it."""
    return home.root / "logs" / "preview.json"


@cache
def _read(folder: Path, files: tuple[tuple[str, int], ...]) -> Domain:  # noqa: ARG001 - what is remembered is of them
    return load_domain(folder)


def domain_of_pipeline(folders: Sequence[str], name: str) -> Domain:
    """The domain that has the pipeline. A folder is read again when one of its files is another. Raises SpiceError."""
    known: list[str] = []
    for folder in map(Path, folders):
        files = [(str(file), file.stat().st_mtime_ns) for file in sorted(folder.rglob("*")) if file.is_file()]
        domain = _read(folder, tuple(files))
        if name in domain.pipelines:
            return domain
        known += domain.pipelines
    raise SpiceError("Unknown pipeline", f"there is no pipeline {name!r}.", where="pipeline", allowed=sorted(known))


def answer(home: Home, request: Mapping[str, Any]) -> dict[str, Any]:
    """The preview that a request asks for. Raises SpiceError."""
    name = request["pipeline"]
    domain = domain_of_pipeline(request["folders"], name)
    tables = PipelineTables(
        name,
        with_values(name, domain.pipelines[name], assignments(request["parameters"])),
        LocalLake(home.lake).branches.at(request["branch"]),
        session,
        domain.timezone,
    )
    return preview(
        tables,
        node=request["node"],
        rows=request["rows"],
        partition=request["partition"],
        sample_rows=request["sample_rows"],
        wanted=[(column, text or "") for column, text in assignments(request["trace"]).items()],
    )


def serve(home: Home, code: str, idle_seconds: float) -> None:
    """Answer until nobody asks any more. Says on stdout that it is ready."""
    secret = secrets.token_hex(16)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(LOOK_SECONDS)
        place = {"port": listening.getsockname()[1], "secret": secret, "code": code, "process": os.getpid()}
        _write(place_file(home), json.dumps(place))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        last = time.monotonic()
        while time.monotonic() - last < idle_seconds and place_file(home).exists():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            with connection:
                if not _answered(home, connection, secret):
                    return
            last = time.monotonic()


def _answered(home: Home, connection: socket.socket, secret: str) -> bool:
    """False: it was told to end."""
    connection.settimeout(LOOK_SECONDS)
    try:
        with connection.makefile("rwb") as line:
            request = json.loads(line.readline(MAX_REQUEST) or b"{}")
            if not secrets.compare_digest(str(request.get("secret", "")), secret):
                return True
            if request.get("end"):
                return False
            try:
                said = {"preview": answer(home, request)}
            except SpiceError as error:
                said = {"problem": error.problem()}
            line.write(json.dumps(said).encode() + b"\n")
    except (OSError, ValueError):  # whoever asked is gone, or is nobody of ours
        return True
    return True


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temp = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    temp.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True)
    parser.add_argument("--code", required=True, help="what tells this program from a changed one")
    parser.add_argument("--idle", type=float, required=True, help="seconds without a request after which it ends")
    options = parser.parse_args()
    serve(Home(Path(options.home)), options.code, options.idle)


if __name__ == "__main__":
    main()
