"""The lineage page: every column from the file to the index, both directions from any of them, rows apart from values."""

import json
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

LAYERS = ["Source file", "Raw", "Clean", "Object", "Event", "Topic", "Index"]
LEFT_TO_RIGHT = """() => {
  const at = (id) => [...document.querySelectorAll('g.card')].find((card) => card.dataset.id === id).getBoundingClientRect();
  return [...document.querySelectorAll('path.link')].filter((line) => at(line.dataset.from).right > at(line.dataset.to).left).length;
}"""


def document(root: str, path: str) -> Any:
    with urllib.request.urlopen(f"{root}/v1/lineage/{path}") as answer:
        return json.load(answer)


def edges_shown(page: Page) -> list[tuple[str, ...]]:
    rows = page.get_by_role("table").get_by_role("row").all()
    return [tuple(row.locator("th, td").all_text_contents()) for row in rows[1:]]


def test_a_property_is_drawn_from_the_file_to_the_indexes(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/lineage/Flight/designator")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lineage of Designator Flight.designator")
    assert page.locator("text.layer").all_text_contents() == LAYERS
    chain = [
        "carrier, file/flights, string, Source file",
        "carrier, raw/flights, string, Raw",
        "carrier, clean/flights, string, Clean",
        "designator, ontology/flight/objects, string, Object, By: concat(carrier, ' ', flight)",
        "designator, events/nyc_flights, string, Event",
        "designator, topic, string, Topic",
        "designator, projection/search/live, string, Index",
        "words, projection/search/live, words, Index",
        "designator, projection/graph/live, string, Index",
    ]
    for name in chain:
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    assert page.evaluate(LEFT_TO_RIGHT) == 0


@pytest.mark.parametrize("path", ["Flight/designator", "CarrierDay/mean_delay_jfk", "Flight", "Flight/arrives_at"])
def test_the_drawing_and_the_table_hold_the_whole_document(page: Page, explorer: str, path: str) -> None:
    page.goto(f"{explorer}/lineage/{path}")
    given = document(explorer, path)
    kinds = {"value": "makes the value", "rows": "decides about rows"}
    expected = sorted((e["from"], e["by"], e["to"], kinds[e["kind"]]) for e in given["edges"])
    expect(page.locator("path.link")).to_have_count(len(expected))
    expect(page.locator("g.card")).to_have_count(len(given["nodes"]))
    assert sorted(edges_shown(page)) == expected
    dashed = page.locator("path.link").evaluate_all(
        "(lines) => lines.filter((line) => getComputedStyle(line).strokeDasharray !== 'none').length"
    )
    assert dashed == sum(e["kind"] == "rows" for e in given["edges"])
    assert page.evaluate(LEFT_TO_RIGHT) == 0


def test_a_chosen_column_leaves_only_what_is_behind_and_ahead_of_it(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/lineage/Flight/designator")
    column = page.get_by_role("button", name="flight, clean/flights, integer, Clean")
    column.click()
    about = page.get_by_role("region", name="flight clean/flights#flight")
    expect(about).to_contain_text("Comes from")
    expect(about.get_by_role("button", name="raw/flights#flight")).to_be_visible()
    expect(about.get_by_role("listitem").filter(has_text="concat(carrier, ' ', flight)")).to_be_visible()
    expect(column).to_have_attribute("aria-pressed", "true")
    dim = page.locator("g.card.dim")
    # The other columns of the file that the designator is not made of by this way, and the carrier.
    names = dim.evaluate_all("(cards) => cards.map((card) => card.dataset.id)")
    assert {"file/flights#carrier", "raw/flights#carrier", "clean/flights#carrier", "clean/flights#origin"} <= set(
        names
    )
    assert not {"file/flights#flight", "ontology/flight/objects#designator", "topic#x"} & set(names)
    shown = {(row[0], row[2]) for row in edges_shown(page)}
    assert ("file/flights#flight", "raw/flights#flight") in shown
    assert ("clean/flights#carrier", "ontology/flight/objects#designator") not in shown
    assert parse_qs(urlsplit(page.url).query) == {"node": ["clean/flights#flight"]}
    about.get_by_role("button", name="ontology/flight/objects#designator").click()
    expect(page.get_by_role("region", name="designator ontology/flight/objects#designator")).to_be_visible()
    page.go_back()
    expect(about).to_be_visible()
    page.reload()
    expect(about).to_be_visible()
    page.get_by_role("button", name="Show all").first.click()
    page.get_by_role("region", name="How each column is made").get_by_role("button", name="Show all").click()
    expect(dim).to_have_count(0)


def test_what_decides_about_rows_can_be_left_out(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/lineage/Flight/designator")
    values = [e for e in document(explorer, "Flight/designator")["edges"] if e["kind"] == "value"]
    page.get_by_label("Show what decides about rows").uncheck()
    expect(page.locator("path.link")).to_have_count(len(values))
    expect(page.locator("path.link.rows")).to_have_count(0)
    assert urlsplit(page.url).query == "rows=no"
    page.go_back()
    expect(page.get_by_label("Show what decides about rows")).to_be_checked()


def test_other_properties_are_one_step_away(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/lineage/Airport")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lineage of Airport Airport")
    page.get_by_label("Airport:").select_option(label="Altitude")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lineage of Altitude Airport.altitude")
    expect(page.get_by_role("button", name="alt, clean/airports, integer, Clean")).to_be_visible()
    page.goto(f"{explorer}/lineage/Airport?node=ontology/airport/objects%23name")
    page.get_by_role("link", name="Open its lineage").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lineage of Name Airport.name")


def test_the_drawing_is_worked_with_the_keyboard(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/lineage/Plane/seats")
    page.get_by_role("link", name="Skip the drawing").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="How each column is made").first).to_be_focused()
    seats = "seats, {table}, {type}, {layer}"
    start = page.get_by_role("button", name=seats.format(table="raw/planes", type="string", layer="Raw"))
    start.focus()
    page.keyboard.press("ArrowRight")
    clean = page.get_by_role("button", name=seats.format(table="clean/planes", type="integer", layer="Clean"))
    expect(clean).to_be_focused()
    page.keyboard.press("Enter")
    expect(clean).to_have_attribute("aria-pressed", "true")
    expect(clean).to_be_focused()
    page.keyboard.press("Enter")
    expect(clean).to_have_attribute("aria-pressed", "false")


def test_an_unknown_property_names_those_that_there_are(refused_page: Page, explorer: str) -> None:
    page = refused_page
    page.goto(f"{explorer}/lineage/Flight/desginator")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("desginator")
    expect(alert.get_by_role("listitem").filter(has_text="designator")).to_be_visible()
