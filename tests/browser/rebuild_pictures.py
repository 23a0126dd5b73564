"""Makes the pictures of `docs/rebuild.md`: `python -m tests.browser.rebuild_pictures`, in about three minutes.

Over a copy of the finished demo's home. A row is taken out of the new generation between fill and swap, and another out
of the model that is asked, so that there is something to see.
"""

import re
import sqlite3
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from gateway.demo.correction import copy_home
from resources.home import PROJECT_ROOT
from resources.read_model.generations import Generations
from tests.browser.chromium import chromium
from tests.browser.dagster_journeys import PATIENCE
from tests.browser.dagster_pictures import JOB, NAMELESS, PICTURES, take
from tests.browser.pictures import home
from tests.dagster_ui import Ui, open_ui

FILL, SWAP, LIVE = "projection/search/fill", "projection/search/swap", "projection/search/live"
ALL = {"dagster/asset_partition_range_start": "0", "dagster/asset_partition_range_end": "f"}
RESTED = 2_000.0
"""Milliseconds until a page is drawn."""


def take_a_row_out(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        (no,) = connection.execute("SELECT max(no) FROM types").fetchone()
        connection.execute(f"DELETE FROM t{no} WHERE rid = (SELECT min(rid) FROM t{no})")
    connection.close()


def walk(ui: Ui, page: Page) -> None:
    """Fill, refused swap, digest check."""
    generations = Generations(ui.spice.home / "read" / "search.sqlite")
    asked = generations.current()
    assert ui.over(ui.launched("rebuild_search", FILL, **ALL))["status"] == "SUCCESS"
    page.goto(f"{ui.url}/assets/{FILL}?view=partitions&partition=0")
    proved = page.get_by_text("16 of 16 buckets", exact=True).first
    expect(proved).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(RESTED)
    take(page, "rebuild-fill", [(proved, "each proved: read back, and equal to the log", "right")])

    (new,) = set(generations.present()) - {asked}
    take_a_row_out(generations.file(new))
    refused = ui.launched("rebuild_search", SWAP)
    assert ui.over(refused)["status"] == "FAILURE"
    page.goto(f"{ui.url}/runs/{refused}")
    told = page.get_by_text(re.compile("differs from the log")).first
    expect(told).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(RESTED)
    told.hover()
    page.mouse.wheel(0, -200)  # the list of events begins above it
    page.wait_for_timeout(RESTED)
    page.evaluate(NAMELESS, str(Path(sys.prefix).parent))
    take(page, "rebuild-refused", [(told, "the bucket, and that nothing was changed", "above")])

    take_a_row_out(generations.alias)
    ui.over(ui.launched("compare_projections"))
    page.goto(f"{ui.url}/assets/{LIVE}?view=checks&checkDetail=digest")
    page.get_by_text("[Show Markdown]").first.click(timeout=PATIENCE)
    differs = page.get_by_text("differs", exact=True).first
    expect(differs).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(RESTED)
    take(page, "rebuild-digest", [(differs, "the bucket that lacks a row", "right")])


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spice-pictures-") as folder:
        place = copy_home(home(), Path(folder) / "home").root
        with open_ui(PROJECT_ROOT, place, JOB) as ui, chromium() as browser:
            walk(ui, browser.new_page(viewport={"width": 1440, "height": 900}, locale="en"))


if __name__ == "__main__":
    main()
