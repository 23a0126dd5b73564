"""What a data engineer clicks in the Dagster UI: launch everything, run one partition again, follow a failed check.

Steps take a `Camera`, which the tests leave out: `python -m tests.browser.dagster_pictures` makes the pictures of
`docs/dagster-ui.md` by the very clicks that the tests do.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

PATIENCE = 30_000.0
"""Milliseconds: the page asks for the state of runs each few seconds, and tests share two cores."""
Marks = list[tuple[Locator, str, str]]
"""Frames around elements, each with what to say of it and on which side: above, below or right."""
Camera = Callable[[Page, str, Marks], None]
"""Takes a picture by name."""


def no_camera(_page: Page, _name: str, _marks: Marks) -> None:
    """Tests look and take no pictures."""


@dataclass(frozen=True)
class Journey:
    """One person at one Dagster page; `job` is the domain's."""

    page: Page
    url: str
    job: str
    camera: Camera = no_camera

    def asset_graph(self) -> None:
        """From the files to the read models, group by group."""
        self.page.goto(f"{self.url}/asset-groups")
        for group in ("ingest", "transform", "ontology", "events", "projection", "topic"):
            expect(self.page.get_by_text(group, exact=True).first).to_be_visible(timeout=PATIENCE)
        self.page.wait_for_timeout(1500)  # the graph comes to rest
        self.camera(self.page, "graph", [])

    def open_launch_dialog(self) -> Locator:
        """Job's page -> Materialize all."""
        self.page.goto(f"{self.url}/locations/spice/jobs/{self.job}")
        self.page.get_by_role("button", name="Materialize all").first.click(timeout=PATIENCE)
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_text("Partition selection")).to_be_visible(timeout=PATIENCE)
        return dialog

    def launch_all(self) -> None:
        """All partitions: one run, which the backfill daemon begins within half a minute."""
        dialog = self.open_launch_dialog()
        dialog.get_by_role("button", name="All", exact=True).click()
        launch = dialog.get_by_role("button", name="Launch backfill")
        expect(launch).to_be_enabled(timeout=PATIENCE)
        expect(dialog.get_by_text("Loading")).to_have_count(0, timeout=PATIENCE)
        everything = dialog.get_by_role("button", name="All", exact=True)
        self.camera(
            self.page, "launch-all", [(everything, "1  all partitions", "above"), (launch, "2  launch", "above")]
        )
        launch.click()
        expect(self.page.get_by_text("Created backfill")).to_be_visible(timeout=PATIENCE)

    def launch_one(self, partition: str) -> None:
        """One partition: a run at once."""
        dialog = self.open_launch_dialog()
        box = dialog.get_by_placeholder(re.compile("^ex: "))
        box.fill(partition)
        box.press("Tab")
        launch = dialog.get_by_role("button", name="Launch 1 run")
        expect(launch).to_be_enabled(timeout=PATIENCE)
        self.camera(self.page, "launch-one", [(box, "1  the partition", "below"), (launch, "2  launch", "above")])
        launch.click()
        expect(dialog).to_be_hidden(timeout=PATIENCE)

    def see_run(self, run_id: str, status: str, picture: str, step: str = "") -> None:
        """Runs -> the run: its status and its steps. Of a backfill the list shows the runs when it is told to.

        `step`: one that the page lists as failed.
        """
        self.page.goto(f"{self.url}/runs")
        self.page.get_by_text("Show runs within backfills").click(timeout=PATIENCE)
        link = self.page.locator(f'a[href="/runs/{run_id}"]').first
        expect(link).to_be_visible(timeout=PATIENCE)
        positions = self.page.get_by_text("spice/positions").first
        expect(positions).to_be_visible(timeout=PATIENCE)
        marks = [(link, "the run", "right"), (positions, "positions that it appended to the log", "right")]
        self.camera(self.page, f"{picture}-runs", marks)
        link.click()
        ended = self.page.get_by_text(f"RUN_{status.upper()}", exact=True).first
        expect(ended).to_be_visible(timeout=2 * PATIENCE)  # a year's run has thousands of events to load
        self.page.wait_for_timeout(1500)  # the steps are drawn
        badge = self.page.get_by_text(status, exact=True).first
        marks = [(badge, "how it ended", "below"), (ended, "what it says at the end", "above")]
        if step:
            failed = self.page.get_by_text(step, exact=True).last
            expect(failed).to_be_visible(timeout=PATIENCE)
            marks.append((failed, "the red step", "below"))
        self.camera(self.page, picture, marks)

    def see_asset(self, asset: str, *told: str, picture: str = "") -> None:
        """The asset's page: columns, and the metadata of its latest materialization."""
        self.page.goto(f"{self.url}/assets/{asset}")
        for text in told:
            expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE)
        if picture:
            table = self.page.get_by_text("by_partition", exact=True).first
            table.scroll_into_view_if_needed(timeout=PATIENCE)
            change = self.page.get_by_text("change", exact=True).first
            marks = [
                (change, "what the run appended", "right"),
                (table, "totals and plot", "right"),
            ]
            self.camera(self.page, picture, marks)

    def see_partition(self, asset: str, partition: str, picture: str = "") -> Locator:
        """The asset's partitions -> one of them; returns its page's text."""
        self.page.goto(f"{self.url}/assets/{asset}?view=partitions&partition={partition}")
        expect(self.page.get_by_text("objects_updated", exact=True)).to_be_visible(timeout=PATIENCE)
        if picture:
            updated = self.page.get_by_text("objects_updated", exact=True)
            self.camera(self.page, picture, [(updated, "what the run changed in this partition", "right")])
        return self.page.locator("body")

    def follow_failed_check(self, run_id: str, asset: str, check: str) -> Locator:
        """Runs -> the red run -> its red step -> the asset's checks -> the rows. Returns the table of rows."""
        self.see_run(run_id, "Failure", "red-run", step=f"{asset.replace('/', '__')}__checks")
        self.page.goto(f"{self.url}/assets/{asset}")
        self.page.get_by_role("tab", name="Checks").or_(self.page.get_by_role("link", name="Checks")).first.click()
        named = self.page.get_by_text(check, exact=True).first
        named.click(timeout=PATIENCE)
        expect(self.page.get_by_text("This is a").first).to_be_visible(timeout=PATIENCE)
        place = self.page.get_by_text("source line", exact=True).first
        expect(place).to_be_visible(timeout=PATIENCE)
        table = self.page.locator("table", has=self.page.get_by_text("source line", exact=True)).last
        self.camera(
            self.page,
            "red-check",
            [(named, "1  the red check", "below"), (table, "2  the rows: file, line and values", "below")],
        )
        return table
