"""Prepared processes that do what is asked of them line by line: Python and its imports are started once."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Server:
    """A script of this folder in a project's folder: JSON in, JSON out."""

    def __init__(self, script: str, project: Path, *options: str, home: Path | None = None) -> None:
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / script), *options],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(project), **({"SPICE_HOME": str(home)} if home else {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._asking:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


@dataclass(frozen=True)
class Answered:
    """What one command did: exit status and both outputs."""

    status: int
    out: str
    err: str


class CommandLine(Server):
    """`spice` on one home, many times in one process (tests/cli_server.py)."""

    def __init__(self, project: Path, home: Path) -> None:
        super().__init__("cli_server.py", project, home=home)

    def call(self, *arguments: str, stdin: str = "") -> Answered:
        return Answered(**self.ask({"arguments": list(arguments), "stdin": stdin}))
