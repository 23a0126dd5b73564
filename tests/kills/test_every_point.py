"""kill -9 at every named crash point of append, relay, projection, rebuild, sealing and archiving, three times each.

Nothing acknowledged is lost, nothing is there twice, and what follows the log is at its end within five seconds of the
next process's first instruction. The last tests take a protection out of the product; then this must turn red.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kills.conftest import RECOVERIES
from tests.kills.controls import BETWEEN, CONTROLS
from tests.kills.killing import ROOT, Homes, killed, make_homes, unlisted
from tests.kills.points import POINTS
from tests.simulator.faults import CRASH_POINTS
from tests.simulator.truth import Violation

HITS = 3
RECOVERY_S = 5.0
AT_ONCE = 2
"""Of two cores. Most of a kill is the start of two processes."""

Kill = tuple[str, int]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    return make_homes(tmp_path_factory.mktemp("homes"))


@pytest.fixture(scope="module")
def kills(
    request: pytest.FixtureRequest, homes: Homes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Kill, "Future[float]"]]:
    """Those that the selected tests ask for, two at a time."""
    folder = tmp_path_factory.mktemp("killed")
    wanted = [
        (item.callspec.params["point"], nth)  # type: ignore[attr-defined]
        for item in request.session.items
        if item.name.startswith(f"{test_a_process_killed_here_loses_and_doubles_nothing.__name__}[")
        for nth in range(HITS)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            (point, nth): pool.submit(killed, point, homes.hits(point)[nth], folder / str(number), homes)
            for number, (point, nth) in enumerate(wanted)
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_here_loses_and_doubles_nothing(
    point: str, kills: dict[Kill, "Future[float]"], homes: Homes, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seconds = [kills[point, nth].result() for nth in range(HITS)]
    for nth in range(HITS):
        if seconds[nth] > RECOVERY_S:  # once more: the machine may have been busy with something else
            seconds[nth] = killed(point, homes.hits(point)[nth], tmp_path / str(nth), homes)
    request.config.stash[RECOVERIES][point] = seconds
    assert max(seconds) <= RECOVERY_S


def test_a_process_is_killed_wherever_it_writes_or_reads(homes: Homes) -> None:
    assert unlisted(homes, POINTS) == set()


def test_every_crash_point_of_the_simulator_is_a_real_kill_too() -> None:
    # Its sealer archives too; here these are two processes.
    assert {p for p in CRASH_POINTS if p not in POINTS and p.replace("seal: ", "archive: ") not in POINTS} == set()


def test_the_page_on_kills_lists_every_point() -> None:
    page = (ROOT / "docs" / "kills.md").read_text()
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    listed = {f"{role}: {name}" for role, row in rows.items() for name in row.rpartition(" | ")[2].split("`")[1::2]}
    assert listed == set(POINTS)
    assert f"{len(POINTS)} points, {HITS * len(POINTS)} kills" in page


@pytest.mark.parametrize(
    ("control", "point", "hit", "invariant"),
    [
        ("no_ids", "append: after put record", 12, "I4"),
        ("acknowledged_before_it_is_there", "append: before put record", 12, "I1"),
        ("records_written_in_place", "append: half put record", 12, "I3"),
        ("messages_before_their_position", f"relay: {BETWEEN}", 3, "I9"),
        ("position_before_its_documents", f"search: {BETWEEN}", 3, "I1"),
    ],
)
def test_control_without_a_protection_the_same_kill_is_red(
    control: str, point: str, hit: int, invariant: str, homes: Homes, tmp_path: Path
) -> None:
    assert control in CONTROLS
    with pytest.raises(Violation, match=invariant):
        killed(point, hit, tmp_path / "home", homes, control=control)
