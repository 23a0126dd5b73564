"""`python -m tests.browser.pictures`: the explorer's pictures in `docs/pictures/`, made again from the finished demo.

Takes the demo's home that the tests share ($SPICE_TEST_CACHE), or the one in `.spice` or $SPICE_HOME.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

from gateway.domains import domains
from resources.home import PROJECT_ROOT, Home
from tests.browser.chromium import chromium
from tests.browser.explorer import served

FOLDER = PROJECT_ROOT / "docs" / "pictures"
MOST_BYTES = 250_000
FLIGHT = "B6/709/JFK/2013-01-01T11%3A00%3A00Z"


@dataclass(frozen=True)
class Picture:
    """One page at 1440 x 900. `heading`: what it must show before the picture is taken."""

    name: str
    address: str
    heading: str
    scheme: str = "light"


def opened(*steps: str) -> str:
    return "&".join(f"open={step.replace('%', '%25')}" for step in steps)


PICTURES = (
    Picture(
        "search",
        '/?type=Flight&where=["dep_delay",">",600]&where=["origin","in",["JFK","EWR"]]&sort=dep_delay:desc',
        "objects",
    ),
    Picture("object", f"/objects/Flight/{FLIGHT}?lang=ko", "B6 709"),
    Picture(
        "graph",
        f"/graph/Flight/{FLIGHT}?"
        + opened(
            *(f"Flight/{FLIGHT}:{way}:20" for way in ("operated_by", "arrives_at", "flown_by", "departs_from")),
            "Airport/SJU:arrivals:20",
        ),
        "Graph around B6 709",
        "dark",
    ),
    Picture(
        "lineage",
        "/lineage/CarrierDay/mean_delay_jfk?node=transform/daily_punctuality/per_origin%23mean_delay",
        "Lineage of Mean departure delay at JFK",
    ),
)


def home() -> Home:
    """The finished demo's home. Raises AssertionError where there is none."""
    cache = os.environ.get("SPICE_TEST_CACHE")
    places = [Path(cache) / "demo-home"] if cache else []
    places += [Path(os.environ["SPICE_HOME"])] if "SPICE_HOME" in os.environ else [PROJECT_ROOT / ".spice"]
    for place in places:
        if (place / "objects").is_dir():
            return Home(place)
    raise AssertionError(f"no finished demo in {', '.join(map(str, places))}: run `make demo` first")


def take(page: Page, root: str, picture: Picture) -> Path:
    page.emulate_media(color_scheme=picture.scheme)  # type: ignore[arg-type]
    page.goto(root + picture.address)
    expect(page.get_by_role("heading").filter(has_text=picture.heading).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    file = FOLDER / f"explorer-{picture.name}.png"
    page.screenshot(path=file)
    assert file.stat().st_size < MOST_BYTES, f"{file.name} has {file.stat().st_size:,} bytes"
    return file


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served(home(), domains()) as root, chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en")
        for picture in PICTURES:
            file = take(page, root, picture)
            print(f"{file.relative_to(PROJECT_ROOT)}  {file.stat().st_size:,} bytes")
            page.evaluate("localStorage.clear()")


if __name__ == "__main__":
    main()
