"""Progress of a run's stages: bars for a person at a terminal, one log line per stage in the Dagster UI.

A stage is one asset or check of the run. The numbers (rows, seconds) are kept for the summary that ends `spice demo`.
"""

import atexit
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


@dataclass
class Stage:
    """One finished or running stage: `rows` of `total` (0 = unknown), seconds, and a closing note."""

    name: str
    total: int = 0
    rows: int = 0
    seconds: float = 0.0
    note: str = ""


class StageDisplay(Protocol):
    """Where progress is shown."""

    def begin(self, stage: Stage) -> None: ...
    def moved(self, stage: Stage) -> None: ...
    def end(self, stage: Stage) -> None: ...
    def say(self, text: str) -> None: ...


class Silent:
    """No display: the run's log in the UI says what each stage did."""

    def begin(self, stage: Stage) -> None:
        """Show nothing."""

    def moved(self, stage: Stage) -> None:
        """Show nothing."""

    def end(self, stage: Stage) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


class Bars:
    """A bar per stage on stderr; without a terminal, one line per finished stage.

    Made before the run begins: from then on Dagster has a step's stderr in a file, so this keeps the one from before.
    """

    def __init__(self) -> None:
        self._stderr = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8")
        self._console = Console(file=self._stderr, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._progress.start()

    def begin(self, stage: Stage) -> None:
        self._tasks[stage.name] = self._progress.add_task(stage.name, total=stage.total or None, note="")

    def moved(self, stage: Stage) -> None:
        self._progress.update(self._tasks[stage.name], completed=stage.rows, total=stage.total or None)

    def end(self, stage: Stage) -> None:
        total = stage.total or stage.rows or 1
        self._progress.update(self._tasks[stage.name], completed=stage.rows or total, total=total, note=stage.note)
        self._progress.stop_task(self._tasks[stage.name])
        if not self._console.is_terminal:
            self.say(f"{stage.name:<34} {stage.rows:>9,} rows {stage.seconds:7.2f} s  {stage.note}")

    def say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        self._progress.stop()


class StageClock:
    """Times stages, tells the display, keeps the figures."""

    def __init__(self, display: StageDisplay) -> None:
        self._display = display
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str, total: int = 0) -> Iterator["StageHandle"]:
        stage = Stage(name, total)
        self.stages.append(stage)
        self._display.begin(stage)
        started = time.monotonic()
        try:
            yield StageHandle(stage, self._display)
        finally:
            stage.seconds = time.monotonic() - started
            self._display.end(stage)

    def say(self, text: str) -> None:
        """A remark for the person at the terminal."""
        self._display.say(text)

    def write(self, path: Path) -> None:
        """Keep the figures for the summary, as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(stage) for stage in self.stages], indent=1))


@dataclass(frozen=True)
class StageHandle:
    """What a stage's code holds: tell how far it is, what its total is, how it ended."""

    _stage: Stage
    _display: StageDisplay

    def expect(self, total: int) -> None:
        self._stage.total = total
        self._display.moved(self._stage)

    def advance(self, rows: int) -> None:
        self._stage.rows += rows
        self._display.moved(self._stage)

    def note(self, text: str) -> None:
        self._stage.note = text

    @property
    def seconds(self) -> float:
        """How long it took; 0 while it runs."""
        return self._stage.seconds


@cache
def process_clock(*, bars: bool) -> StageClock:
    """One clock a process, so that all steps of a run show up in one display."""
    if not bars:
        return StageClock(Silent())
    display = Bars()
    atexit.register(display.close)
    return StageClock(display)
