"""Makes the pictures of `docs/deadletters.md` and `docs/replay.md`: `python -m tests.browser.dead_letter_pictures`, in
about three minutes.

Over a copy of the finished demo's home. Two objects get an event that no read model can hold; a month is replayed.
"""

import json
import re
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from playwright.sync_api import Page, expect

from gateway.demo.correction import copy_home
from gateway.domains import the_domain
from gateway.readers import open_readers
from ontology_assets.canonical import canonical_json, state_hash
from ontology_assets.events.envelope import Draft, NewEvent
from ontology_assets.events.heads import Heads
from ontology_assets.events.state import state_text
from resources.home import PROJECT_ROOT, Home
from tests.browser.chromium import chromium
from tests.browser.dagster_journeys import PATIENCE
from tests.browser.dagster_pictures import JOB, NAMELESS, PICTURES, take
from tests.browser.pictures import home
from tests.browser.rebuild_pictures import RESTED
from tests.dagster_ui import Ui, open_ui

TYPE, PROPERTY = "Plane", "seats"
LETTERS, REPLAY = "deadletters/search", "projection/search/replay"
BLOCKED = 2


def poison(place: Home) -> None:
    """An update of two objects with a text where a number belongs."""
    with open_readers(place, [the_domain(JOB)]) as readers:
        log, heads = readers.log(JOB), readers.heads(JOB)
        found = readers.queries.search({"type": TYPE, "limit": BLOCKED}).document["objects"]

        def drafted(now: Heads) -> Draft:
            events = []
            ids = [one["id"] for one in found]
            for key, head in zip(ids, now.lookup(TYPE, pa.array(ids)).to_pylist(), strict=True):
                state = json.loads(state_text(log.states([head["position"]])["data"][0].as_py()))
                state["properties"][PROPERTY] = "many"
                text = canonical_json(state)
                events.append(
                    NewEvent(
                        event_id=f"00000000-0000-4000-8000-{head['position']:012}",
                        event_type="ObjectUpdated",
                        aggregate_type=TYPE,
                        aggregate_id=key,
                        sequence_number=head["sequence"] + 1,
                        data=canonical_json({"changed": [PROPERTY], "state": state}),
                        state_hash=state_hash(text),
                    )
                )
            return Draft(log.new_id(), inline=events)

        log.append(heads, drafted)


def keys(ui: Ui) -> list[str]:
    """The partitions of the dead letters, once the followers and the sensor have been there."""
    deadline = time.monotonic() + 120
    query = (
        'query { assetNodeOrError(assetKey: {path: ["deadletters", "search"]}) { ... on AssetNode { partitionKeys } } }'
    )
    while len(found := ui.graphql(query)["assetNodeOrError"]["partitionKeys"]) < BLOCKED:
        assert time.monotonic() < deadline, "no partition was added"
        time.sleep(1)
    return list(found)


def walk(ui: Ui, page: Page) -> None:
    """The partitions of what is set aside, a retry that is red, a replay."""
    first = keys(ui)[0]
    page.goto(f"{ui.url}/assets/{LETTERS}?view=partitions")
    listed = page.get_by_text(first, exact=True).first
    expect(listed).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(RESTED)
    take(page, "deadletters", [(listed, "one partition for each object that is set aside", "right")])

    red = ui.launched("__ASSET_JOB", LETTERS, **{"dagster/partition": first})
    assert ui.over(red)["status"] == "FAILURE"
    page.goto(f"{ui.url}/runs/{red}")
    told = page.get_by_text(re.compile("objects: Plane")).last
    expect(told).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(RESTED)
    page.evaluate(NAMELESS, str(Path(sys.prefix).parent))
    take(page, "deadletters-red", [(told, "object, event and reason", "above")])

    ui.spice.run("replay", "--projection", "search", "--from", "2013-03-01", "--to", "2013-03-31")
    page.goto(f"{ui.url}/assets/{REPLAY}?view=partitions&partition=0|2013-03")
    told = page.get_by_text("by_type", exact=True).first
    expect(told).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(RESTED)
    take(page, "replay", [])


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spice-pictures-") as folder:
        place = copy_home(home(), Path(folder) / "home").root
        poison(Home(place))
        with open_ui(PROJECT_ROOT, place, JOB) as ui, chromium() as browser:
            walk(ui, browser.new_page(viewport={"width": 1440, "height": 900}, locale="en"))


if __name__ == "__main__":
    main()
