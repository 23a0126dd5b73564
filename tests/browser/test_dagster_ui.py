"""The three journeys of `docs/dagster-ui.md` by clicks in the real Dagster page under the real `spice dev`: launch
everything from the job's page, run one partition again, follow a failed check to its rows. The same by GraphQL, with
the details of what is told: tests/ui/test_runs_from_the_ui.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.bakery import workshop
from tests.browser.dagster_journeys import PATIENCE, Journey
from tests.dagster_ui import MONTHS, Ui, open_ui, requantify, tags_of


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("dagster-page")
    with open_ui(workshop(folder / "project").project, folder / "home") as opened:
        yield opened


@pytest.fixture
def journey(ui: Ui, page: Page) -> Iterator[Journey]:
    """A page that asks nothing of anybody but its own server."""
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    yield Journey(page, ui.url, ui.job)
    own = (f"{ui.url}/", "data:", "blob:")
    assert {url for url in asked if not url.startswith(own)} == set()


@pytest.fixture
def loaded(ui: Ui) -> Ui:
    """Everything was run once."""
    if not any(run["status"] == "SUCCESS" for run in ui.runs()):
        ui.all_of_the_job(MONTHS)
    return ui


def sales(ui: Ui) -> Path:
    return ui.spice.home / "sources" / "bakery" / "sales.csv"


def test_the_asset_graph_reads_from_the_files_to_the_read_models(journey: Journey) -> None:
    journey.asset_graph()


def test_everything_is_launched_from_the_page_of_the_job(ui: Ui, journey: Journey) -> None:
    known = {run["id"] for run in ui.runs()}
    journey.launch_all()
    run = ui.next_run(known)
    assert run["status"] == "SUCCESS"
    assert tags_of(run)["dagster/asset_partition_range_end"] == MONTHS[-1]
    journey.see_run(run["id"], "Success", "run")
    journey.see_asset("clean/sales", "by_partition", "rows_quarantined", "events_of_run", "19 (2024-03-01)")


def test_one_partition_is_run_again(loaded: Ui, journey: Journey) -> None:
    known = {run["id"] for run in loaded.runs()}
    requantify(sales(loaded), MONTHS[1], 42)
    journey.launch_one(MONTHS[1])
    run = loaded.next_run(known)
    assert (run["status"], tags_of(run)["dagster/partition"]) == ("SUCCESS", MONTHS[1])
    journey.see_partition("ontology/sale/objects", MONTHS[1])
    assert loaded.materialization("ontology/sale/objects", MONTHS[1])["objects_updated"] == 1


def test_a_failed_check_is_followed_to_its_rows(loaded: Ui, journey: Journey) -> None:
    known = {run["id"] for run in loaded.runs()}
    good = sales(loaded).read_text()
    line = requantify(sales(loaded), MONTHS[2], 500)
    journey.launch_one(MONTHS[2])
    run = loaded.next_run(known)
    assert run["status"] == "FAILURE"
    rows = journey.follow_failed_check(run["id"], "clean/sales", "values_between_quantity")
    for text in ("sales.csv", str(line), "500"):
        expect(rows.get_by_text(text, exact=True).first).to_be_visible(timeout=PATIENCE)
    sales(loaded).write_text(good)
    assert loaded.one_partition(MONTHS[2])["status"] == "SUCCESS"
