"""The object page: values, status, links both ways, history; also of what was deleted or never was there."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import duckdb
from playwright.sync_api import Page, expect

from gateway.commanding import Commanding
from tests.browser.explorer import ATELIER, BIG, MARKUP, RUN, STRANGE_ID, make_home, served

Oracle = duckdb.DuckDBPyConnection


def one(oracle: Oracle, sql: str) -> Any:
    return oracle.execute(sql).fetchone()[0]  # type: ignore[index]


def test_a_flight_shows_its_values_its_links_and_where_they_come_from(
    page: Page, explorer: str, oracle: Oracle
) -> None:
    page.goto(f"{explorer}/objects/Flight/B6/709/JFK/2013-01-01T11%3A00%3A00Z")
    expect(page.get_by_role("heading", level=1)).to_have_text("B6 709")
    expect(page).to_have_title("B6 709 · Flight · SPICE HARVESTER")
    expect(page.get_by_role("main")).to_contain_text("Data status: FULL")
    dep, arr, distance, tail = oracle.execute(
        "SELECT dep_delay, arr_delay, distance, tailnum FROM flights WHERE carrier = 'B6' AND flight = 709 "
        "AND origin = 'JFK' AND time_hour = '2013-01-01 11:00:00Z'"
    ).fetchone()  # type: ignore[misc]
    values = {
        "Departure delay": f"{dep} min",
        "Arrival delay": f"{arr} min",
        "Distance": f"{distance} mi",
        "Tail number": tail,
        "Scheduled hour of departure": "2013-01-01 11:00:00 UTC",
    }
    for label, value in values.items():
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=label))
        expect(row.get_by_role("cell").first).to_have_text(value)
        expect(row.get_by_role("link", name=f"Lineage of {label}")).to_have_attribute(
            "href", re.compile(r"^/lineage/Flight/\w+$")
        )
    out = page.get_by_role("region", name="Links from here")
    for label, title in {
        "operated by": "JetBlue Airways",
        "departs from": one(oracle, "SELECT name FROM airports WHERE faa = 'JFK'"),
        "flown by": tail,
    }.items():
        expect(out.get_by_role("definition").nth(list_of(out).index(label)).get_by_role("link")).to_have_text(title)
    missing = out.get_by_role("definition").nth(list_of(out).index("arrives at"))
    expect(missing).to_contain_text("SJU")
    expect(missing).to_contain_text("MISSING")


def list_of(region: Any) -> list[str]:
    labels: list[str] = region.get_by_role("term").all_text_contents()
    return labels


def test_links_to_an_object_are_counted_and_lead_to_all_of_them(page: Page, explorer: str, oracle: Oracle) -> None:
    page.goto(f"{explorer}/objects/Airline/HA")
    count = one(oracle, "SELECT count(*) FROM flights WHERE carrier = 'HA'")
    region = page.get_by_role("region", name="Links to here")
    expect(region.get_by_role("heading", name="operates")).to_contain_text(f"{count}")
    expect(region.get_by_role("list").first.get_by_role("listitem")).to_have_count(20)
    # Titles that are alike tell nothing apart: then the key stands there.
    expect(region.get_by_role("link", name="HA 51 JFK 2013-01-01 14:00", exact=True)).to_be_visible()
    region.get_by_role("link", name=f"See all {count} operates").click()
    expect(page.get_by_role("heading", level=2).filter(has_text=f"{count} objects")).to_be_visible()
    expect(page.get_by_label("Value of filter 1")).to_have_value("HA")


def test_an_object_that_links_name_and_no_source_has_is_shown_as_missing(
    refused_page: Page, explorer: str, oracle: Oracle
) -> None:
    page = refused_page
    page.goto(f"{explorer}/objects/Airport/SJU")
    expect(page.get_by_role("heading", level=1)).to_have_text("SJU")
    expect(page.get_by_role("main")).to_contain_text("Data status: MISSING")
    expect(page.get_by_role("note")).to_contain_text("There is no such object of the type Airport")
    arrivals = one(oracle, "SELECT count(*) FROM flights WHERE dest = 'SJU'")
    expect(page.get_by_role("heading", name="arrivals")).to_contain_text(f"{arrivals:,}")
    expect(page.get_by_role("heading", name="departures")).to_contain_text("0")


def test_a_key_may_be_written_as_people_write_it(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/objects/Flight/B6/709/JFK/2013-01-01T11:00:00Z")
    expect(page.get_by_role("heading", level=1)).to_have_text("B6 709")


def test_addresses_that_name_nothing_say_what_there_is(refused_page: Page, explorer: str) -> None:
    page = refused_page
    page.goto(f"{explorer}/objects/Zeppelin/1")
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", level=1)).to_be_visible()
    expect(alert.get_by_role("listitem").filter(has_text="Airline")).to_be_visible()
    expect(page.get_by_role("link", name="Back to the search")).to_be_visible()
    page.goto(f"{explorer}/objects/Flight/B6/709")
    expect(alert).to_contain_text("has 4 parts, 2 given")


def test_markup_in_values_shows_as_it_is_written(page: Page, atelier: str) -> None:
    page.goto(f"{atelier}/objects/Painter/evil")
    expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)
    expect(page.get_by_role("link", name="Painter <b>bold</b>", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="<b>Not bold</b>")).to_be_visible()
    expect(page.get_by_role("heading", name="works")).to_contain_text("1")
    assert page.locator("main img, main script, main b").count() == 0
    page.goto(f"{atelier}/?q=bold")
    expect(page.get_by_role("rowheader")).to_have_text("<b>Not bold</b>")
    page.goto(f"{atelier}/graph/Painter/evil?open=Painter/evil:works:20")
    expect(page.get_by_role("button", name="<b>Not bold</b>, Painting")).to_be_visible()
    assert page.title() == f"Graph: {MARKUP} · SPICE HARVESTER"
    assert page.locator("main img, main script, main b").count() == 0


def test_values_of_each_type_are_shown_exactly(page: Page, atelier: str) -> None:
    page.goto(f"{atelier}/objects/Painter/evil")

    def value(label: str) -> Any:
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=label))
        return row.get_by_role("cell").first

    expect(value("Visits")).to_have_text(str(BIG))
    expect(value("Home")).to_have_text("52.01, 4.36")
    expect(value("Height")).to_have_text("1.5 m")
    expect(value("Living")).to_have_text("absent")
    page.goto(f"{atelier}/objects/Painter/vermeer")
    expect(value("School")).to_have_text("Baroque b")
    expect(value("Living")).to_have_text("no")
    expect(value("born")).to_have_text("1632-10-31")
    page.goto(f'{atelier}/?type=Painter&where=["visits","=",{BIG}]')
    expect(page.get_by_role("rowheader")).to_have_text(MARKUP)
    expect(page.get_by_label("Value of filter 1")).to_have_value(str(BIG))
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("rowheader")).to_have_text(MARKUP)


def test_history_tells_what_changed_when_and_by_which_run(page: Page, atelier: str) -> None:
    page.goto(f"{atelier}/objects/Painting/vermeer/1")
    history = page.get_by_role("region", name="History")
    expect(history.get_by_role("heading", level=3)).to_have_text(
        ["Created version 1", "Changed version 2", "Changed version 3"]
    )
    tables = history.get_by_role("table")
    expect(tables.nth(0).get_by_role("row").nth(1)).to_have_text("Price100.00 EUR120.00 EUR")
    expect(tables.nth(0).get_by_role("row")).to_have_count(2)
    expect(tables.nth(1).get_by_role("row").nth(1)).to_have_text("TitleThe MilkmaidHet melkmeisje")
    last = history.get_by_role("listitem").nth(2)
    expect(last).to_contain_text("position 10")
    expect(last).to_contain_text("works.csv, line 7")
    expect(last.get_by_role("link", name="Dagster run 0f0f0f0f")).to_have_attribute(
        "href", f"http://127.0.0.1:3000/runs/{RUN}"
    )
    first = history.get_by_role("listitem").nth(0)
    first.get_by_text("5 values").click()
    expect(first.get_by_role("row").filter(has_text="Price")).to_have_text("Price100.00 EUR")
    expect(first.get_by_role("row").filter(has_text="painted by")).to_have_text("painted byvermeer")


def test_a_deleted_object_says_so_and_shows_its_last_state(refused_page: Page, atelier: str) -> None:
    page = refused_page
    page.goto(f"{atelier}/objects/Painting/vermeer/9")
    expect(page.get_by_role("heading", level=1)).to_have_text("A fake")
    expect(page.get_by_role("main")).to_contain_text("Data status: DELETED")
    expect(page.get_by_role("note")).to_contain_text("This object was deleted")
    expect(page.get_by_role("heading", level=3).filter(has_text="version 2")).to_have_text("Deleted version 2")


def test_a_key_of_strange_signs_is_one_address_on_all_pages(page: Page, atelier: str) -> None:
    page.goto(f"{atelier}/?q=strange&type=Painter")
    page.get_by_role("link", name="Strange key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Strange key")
    assert urlsplit(page.url).path == f"/objects/Painter/{STRANGE_ID}"
    region = page.get_by_role("region", name="Links to here")
    expect(region.get_by_role("heading", name="works")).to_contain_text("1")
    region.get_by_role("link", name="Strange too").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Strange too")
    page.get_by_role("link", name="Strange key").click()
    page.get_by_role("link", name="Show in graph").click()
    page.get_by_role("button", name="works").click()
    expect(page.get_by_role("button", name="Strange too, Painting")).to_be_visible()
    assert quote(f"Painter/{STRANGE_ID}:works:20", safe="*") in page.url
    page.reload()
    expect(page.get_by_role("button", name="Strange too, Painting")).to_be_visible()


def test_history_tells_which_command_changed_an_object_and_who_gave_it(page: Page, tmp_path: Path) -> None:
    home = make_home(tmp_path)
    commanding = Commanding(home, [ATELIER])
    rename = {"command_id": "fix-7", "command": "update", "type": "Painting", "id": "vermeer/1"}
    commanding.service.run({**rename, "properties": {"title": "Milk"}, "actor": "<b>mina</b>"})
    commanding.close()
    with served(home, [ATELIER]) as address:
        page.goto(f"{address}/objects/Painting/vermeer/1")
        last = page.get_by_role("region", name="History").get_by_role("listitem").nth(3)
        expect(last.get_by_role("heading")).to_have_text("Changed version 4")
        expect(last).to_contain_text("command fix-7")
        expect(last).to_contain_text("by <b>mina</b>")
        expect(last.get_by_role("table").get_by_role("row").nth(1)).to_have_text("TitleHet melkmeisjeMilk")
        expect(last.get_by_role("link")).to_have_count(0)
