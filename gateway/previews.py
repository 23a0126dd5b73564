"""Previews from outside: asked of the process that keeps an engine warm, which is started where there is none.

The gateway loads no engine, and here not even the definitions: reading them would take longer than the preview. The
process is of this home and this code; one of other code is told to end.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.errors import SpiceError
from resources.home import PROJECT_ROOT, Home

SERVER = "ontology_assets.preview_server"
IDLE_VARIABLE = "SPICE_PREVIEW_IDLE_SECONDS"
IDLE_SECONDS = 300
ANSWER_SECONDS = 600.0
DEFS = PROJECT_ROOT / "orchestration" / "defs"
PACKAGES = ("ontology_assets", "resources", "transforms")


@dataclass(frozen=True)
class Asked:
    """What to preview: see `transforms.preview.document`."""

    pipeline: str
    branch: str = "main"
    node: str | None = None
    rows: int = 20
    partition: str | None = None
    sample_rows: int = 1_000
    trace: Sequence[str] = ()
    parameters: Sequence[str] = ()


def preview(home: Home, asked: Asked, say: Callable[[str], None]) -> dict[str, Any]:
    """The document of a preview. Raises SpiceError."""
    request = {**vars(asked), "folders": [str(file.parent) for file in sorted(DEFS.glob("*/domain.yaml"))]}
    code = fingerprint()
    place = _place(home)
    if place is not None and place["code"] == code:
        try:
            return _ask(place, request)
        except ConnectionError:
            pass  # it has ended
    elif place is not None:
        end(home)
    _start(home, code, say)
    place = _place(home)
    if place is None:
        raise SpiceError(
            "No preview", "the engine's process ended at once; see logs/preview.log in the home.", status=500
        )
    return _ask(place, request)


def end(home: Home) -> None:
    """Tell the process to end, if there is one."""
    place = _place(home)
    if place is None:
        return
    _place_file(home).unlink(missing_ok=True)
    try:
        with socket.create_connection(("127.0.0.1", place["port"]), timeout=1.0) as connection:
            connection.sendall(json.dumps({"secret": place["secret"], "end": True}).encode() + b"\n")
    except ConnectionError:
        pass  # it has ended


def fingerprint() -> str:
    """What tells this code from a changed one: the times of its files."""
    files = sorted(file for package in PACKAGES for file in (PROJECT_ROOT / package).rglob("*.py"))
    return hashlib.sha256(repr([(str(file), file.stat().st_mtime_ns) for file in files]).encode()).hexdigest()


def _ask(place: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", place["port"]), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(json.dumps({**request, "secret": place["secret"]}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            line = lines.readline()
    if not line:
        raise ConnectionResetError("the engine's process ended before it answered")
    said = json.loads(line)
    if "problem" in said:
        raise SpiceError.of(said["problem"])
    document: dict[str, Any] = said["preview"]
    return document


def _start(home: Home, code: str, say: Callable[[str], None]) -> None:
    idle = float(os.environ.get(IDLE_VARIABLE, IDLE_SECONDS))
    say(f"starting an engine for previews; it ends by itself after {idle:g} s without one.")
    log = home.root / "logs" / "preview.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    _place_file(home).unlink(missing_ok=True)
    command = [sys.executable, "-m", SERVER, "--home", str(home.root), "--code", code, "--idle", str(idle)]
    with log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own program, which goes on when this one ends
            command, cwd=PROJECT_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - it was asked for
    process.stdout.readline()
    process.stdout.close()


def _place(home: Home) -> dict[str, Any] | None:
    try:
        place: dict[str, Any] = json.loads(_place_file(home).read_text())
    except FileNotFoundError:
        return None
    return place


def _place_file(home: Home) -> Path:
    return home.root / "logs" / "preview.json"
