"""The table at the end: every point at which processes were killed, and how long the next one took to recover."""

import pytest

from tests.kills.points import POINTS

RECOVERIES = pytest.StashKey[dict[str, list[float]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RECOVERIES] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    recoveries = config.stash[RECOVERIES]
    if not recoveries:
        return
    every = sorted(seconds for three in recoveries.values() for seconds in three)
    terminalreporter.section("kill -9, and seconds until the next process had recovered")
    for point, seconds in recoveries.items():
        terminalreporter.write_line(f"{point:34} {' '.join(f'{one:5.2f}' for one in seconds)}   {POINTS[point]}")
    terminalreporter.write_line(
        f"{len(every)} kills at {len(recoveries)} points; recovery: median {every[len(every) // 2]:.2f} s, "
        f"longest {every[-1]:.2f} s"
    )
