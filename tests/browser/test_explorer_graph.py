"""The graph page: opening links, limits, the same picture for the same address, keys, and what is missing."""

import json
import re
from typing import Any

import duckdb
from playwright.sync_api import Page, expect

Oracle = duckdb.DuckDBPyConnection
FLIGHT = "B6/709/JFK/2013-01-01T11%3A00%3A00Z"
PLACES = "[...document.querySelectorAll('g.card')].map((card) => [card.getAttribute('aria-label'), card.getAttribute('transform')])"
APART = """() => {
  const boxes = [...document.querySelectorAll('g.card .face')].map((face) => face.getBoundingClientRect());
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length;
}"""


def one(oracle: Oracle, sql: str) -> Any:
    return oracle.execute(sql).fetchone()[0]  # type: ignore[index]


TIGHT = """() => [...document.querySelectorAll('g.card')].filter((card) => {
  const face = card.querySelector('.face').getBoundingClientRect();
  return [...card.querySelectorAll('text')].some((text) => text.getBoundingClientRect().right > face.right);
}).map((card) => card.getAttribute('aria-label'))"""


def size(page: Page, objects: int, links: int) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{objects} objects, {links} links")


def test_a_node_is_opened_by_click_and_folded_again(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/graph/Flight/{FLIGHT}")
    size(page, 1, 0)
    page.get_by_role("button", name="B6 709, Flight").click()
    way = page.get_by_role("button", name="operated by → Airline")
    expect(way).to_have_attribute("aria-expanded", "false")
    way.click()
    size(page, 2, 1)
    expect(page.get_by_role("status")).to_have_text("operated by: 1 objects added")
    expect(way).to_be_focused()
    expect(way).to_have_attribute("aria-expanded", "true")
    page.get_by_role("button", name="arrives at → Airport").click()
    size(page, 3, 2)
    missing = page.get_by_role("button", name="SJU, Airport · MISSING")
    expect(missing).to_be_visible()
    # Told apart by more than colour: a dashed border and a question mark.
    assert missing.locator("rect.face").evaluate("(face) => getComputedStyle(face).strokeDasharray") != "none"
    expect(missing.locator("text.name")).to_have_text("? SJU")
    way.click()
    size(page, 2, 1)
    page.go_back()
    size(page, 3, 2)
    page.go_back()
    page.go_back()
    size(page, 1, 0)
    page.go_forward()
    size(page, 2, 1)


def test_what_is_not_all_drawn_says_so_and_can_be_drawn_further(page: Page, explorer: str, oracle: Oracle) -> None:
    page.goto(f"{explorer}/graph/Airline/HA")
    flights = one(oracle, "SELECT count(*) FROM flights WHERE carrier = 'HA'")
    way = page.get_by_role("button", name="operates")
    expect(way).to_contain_text(f"{flights}")
    way.click()
    size(page, 21, 20)
    panel = page.get_by_role("region", name="Hawaiian Airlines Inc.")
    expect(panel).to_contain_text("Only the first 20 are drawn.")
    panel.get_by_role("button", name="Draw up to 60").click()
    size(page, 61, 60)
    assert page.evaluate(APART) == 0
    panel.get_by_role("button", name="Draw up to 150").click()
    size(page, 151, 150)
    expect(panel).to_contain_text("Only the first 150 are drawn.")
    assert page.evaluate(APART) == 0
    panel.get_by_role("link", name="See in the search").click()
    expect(page.get_by_role("heading", level=2).filter(has_text=f"{flights} objects")).to_be_visible()


def test_the_drawing_holds_no_more_than_it_can_show(page: Page, explorer: str) -> None:
    opened = "&".join(f"open=Airline/{code}:operates:150" for code in ("HA", "AS", "F9"))
    page.goto(f"{explorer}/graph/Airline/HA?open=Airline/HA:operates:150&{opened}")
    size(page, 151, 150)  # what is opened of objects that are not reached is left out
    start = "open=Airport/JFK:departures:150&open=Airport/JFK:arrivals:150"
    flight = "Flight/UA/1545/EWR/2013-01-01T10%253A00%253A00Z"
    page.goto(f"{explorer}/graph/Airport/JFK?{start}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("151 objects")
    page.goto(
        f"{explorer}/graph/{flight.replace('%25', '%')}?open={flight}:operated_by:20&open=Airline/UA:operates:150"
        f"&open=Airline/UA:days:150"
    )
    size(page, 300, 300 - 1)
    expect(page.get_by_text("The drawing holds 300 objects at most")).to_be_visible()
    assert page.evaluate(APART) == 0


def test_the_same_address_gives_the_same_picture(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/graph/Airline/B6?open=Airline/B6:operates:20")
    size(page, 21, 20)
    first = page.evaluate(PLACES)
    page.get_by_role("button", name=re.compile("^days")).click()
    size(page, 41, 40)
    both = page.evaluate(PLACES)
    # Days of one airline have its name for a title, all of them; the airline keeps it to itself.
    expect(page.get_by_role("button", name="JetBlue Airways, Airline")).to_be_visible()
    expect(page.get_by_role("button", name="B6 2013-01-01, Carrier's day")).to_be_visible()
    assert page.evaluate(TIGHT) == []
    page.reload()
    size(page, 41, 40)
    assert page.evaluate(PLACES) == both
    page.go_back()
    size(page, 21, 20)
    assert page.evaluate(PLACES) == first
    assert len({json.dumps(place) for _, place in first}) == 21


def test_the_drawing_is_worked_with_the_keyboard_alone(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/graph/Flight/{FLIGHT}?open=Flight/{FLIGHT.replace('%', '%25')}:departs_from:20")
    size(page, 2, 1)
    flight = page.get_by_role("button", name="B6 709, Flight")
    airport = page.get_by_role("button", name="John F Kennedy Intl, Airport")
    page.get_by_role("link", name="Open object").first.focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip the drawing")).to_be_focused()
    page.keyboard.press("Tab")
    expect(flight).to_be_focused()
    page.keyboard.press("Tab")
    expect(airport).to_be_focused()
    x = [box["x"] for box in (flight.bounding_box(), airport.bounding_box()) if box]
    page.keyboard.press("ArrowLeft" if x[0] < x[1] else "ArrowRight")
    expect(flight).to_be_focused()
    page.keyboard.press("End")
    expect(airport).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="John F Kennedy Intl")).to_be_visible()
    expect(page.get_by_role("button", name="departures ← Flight")).to_be_focused()
    page.keyboard.press("Enter")
    size(page, 21, 20)  # the flight itself is one of the airport's first 20 departures
    page.keyboard.press("Escape")
    expect(airport).to_be_focused()
    before = airport.bounding_box()
    page.keyboard.press("+")
    after = airport.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > before["width"]
    page.keyboard.press("0")
    page.keyboard.press("Home")
    expect(flight).to_be_focused()


def test_the_list_says_what_the_drawing_shows(page: Page, explorer: str) -> None:
    opened = FLIGHT.replace("%", "%25")
    page.goto(
        f"{explorer}/graph/Flight/{FLIGHT}?open=Flight/{opened}:operated_by:20&open=Flight/{opened}:arrives_at:20"
    )
    expect(page.get_by_role("region", name="Objects in the drawing")).to_match_aria_snapshot("""
      - region "Objects in the drawing 3":
        - heading "Objects in the drawing 3" [level=2]
        - list:
          - listitem:
            - link "B6 709"
            - text: Flight
            - button "Choose B6 709"
            - list:
              - listitem: operated by → JetBlue Airways
              - listitem: arrives at → SJU
          - listitem:
            - link "JetBlue Airways"
            - text: Airline
            - button "Choose JetBlue Airways"
          - listitem:
            - link "SJU"
            - text: Airport
            - strong: MISSING
            - button "Choose SJU"
    """)
    page.get_by_role("button", name="Choose SJU").click()
    expect(page.get_by_role("button", name="departures ← Flight")).to_be_focused()


def test_wheel_and_drag_move_the_drawing(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/graph/Airline/HA?open=Airline/HA:operates:20")
    start = page.get_by_role("button", name="Hawaiian Airlines Inc., Airline")
    box = start.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 250)
    page.mouse.down()
    page.mouse.move(box["x"] + 380, box["y"] + 290)
    page.mouse.up()
    moved = start.bounding_box()
    assert moved is not None
    assert (round(moved["x"] - box["x"]), round(moved["y"] - box["y"])) == (80, 40)
    page.mouse.wheel(0, -300)
    zoomed = start.bounding_box()
    assert zoomed is not None
    assert zoomed["width"] > moved["width"]
    page.get_by_role("button", name="Show all").click()
    again = start.bounding_box()
    assert again is not None
    assert abs(again["x"] - box["x"]) < 1
