"""The search page: words, types, filters, order, pages, languages, and what it says when there is nothing."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import opened_page

Oracle = duckdb.DuckDBPyConnection


def one(oracle: Oracle, sql: str) -> Any:
    return oracle.execute(sql).fetchone()[0]  # type: ignore[index]


def total(page: Page, number: int) -> None:
    expect(page.get_by_role("heading", level=2).filter(has_text=f"{number:,} object")).to_be_visible()


def add_filter(page: Page, at: int, name: str, operator: str, value: str) -> None:
    page.get_by_role("button", name="Add a filter").click()
    page.get_by_label(f"Property of filter {at}").select_option(label=name)
    page.get_by_label(f"Comparison of filter {at}").select_option(label=operator)
    page.get_by_label(f"Value of filter {at}").fill(value)


def test_the_start_shows_every_type_with_its_count(page: Page, explorer: str, oracle: Oracle) -> None:
    page.goto(explorer)
    cards = page.get_by_role("main").get_by_role("listitem").filter(has=page.get_by_role("heading", level=3))
    for label, table in {"Flight": "flights", "Airline": "airlines", "Airport": "airports", "Plane": "planes"}.items():
        card = cards.filter(has=page.get_by_role("link", name=label, exact=True))
        expect(card).to_contain_text(f"{one(oracle, f'SELECT count(*) FROM {table}'):,}")
    expect(page).to_have_title("Search · SPICE HARVESTER")


def test_words_find_objects_of_all_types_and_the_types_narrow_them(page: Page, explorer: str, oracle: Oracle) -> None:
    page.goto(explorer)
    page.get_by_role("searchbox", name="Search by words").fill("jetblue")
    page.get_by_role("button", name="Search").click()
    days = one(
        oracle,
        "SELECT count(*) FROM (SELECT DISTINCT year, month, day FROM flights WHERE carrier = 'B6' AND dep_delay IS NOT NULL)",
    )
    total(page, 1 + days)
    types = page.get_by_role("navigation", name="Types")
    expect(types.get_by_role("link", name="Carrier's day")).to_contain_text(str(days))
    expect(types.get_by_role("link", name="Plane")).to_contain_text("0")
    types.get_by_role("link", name="Airline").click()
    total(page, 1)
    expect(page.get_by_role("rowheader", name="JetBlue Airways")).to_be_visible()
    assert parse_qs(urlsplit(page.url).query) == {"q": ["jetblue"], "type": ["Airline"]}
    page.go_back()
    total(page, 1 + days)
    page.go_back()
    expect(page.get_by_role("heading", name="What there is")).to_be_visible()
    page.go_forward()
    total(page, 1 + days)
    expect(page.get_by_role("searchbox", name="Search by words")).to_have_value("jetblue")


def test_filters_and_order_make_an_address_that_gives_the_same_again(page: Page, explorer: str, oracle: Oracle) -> None:
    page.goto(f"{explorer}/?type=Flight")
    add_filter(page, 1, "Departure delay", ">", "600")
    add_filter(page, 2, "Origin", "one of", "JFK, EWR")
    page.get_by_role("button", name="Search").click()
    count = one(oracle, "SELECT count(*) FROM flights WHERE dep_delay > 600 AND origin IN ('JFK', 'EWR')")
    total(page, count)
    page.get_by_label("Sort").select_option(label="Departure delay ↓ descending")
    rows = oracle.execute(
        "SELECT carrier || ' ' || flight, dep_delay FROM flights WHERE dep_delay > 600 AND origin IN ('JFK', 'EWR') "
        "ORDER BY dep_delay DESC LIMIT 5"
    ).fetchall()
    expect(page.get_by_role("columnheader", name="Departure delay")).to_have_attribute("aria-sort", "descending")
    for _ in range(2):
        shown = page.get_by_role("row").filter(has=page.get_by_role("rowheader"))
        expect(shown).to_have_count(count)
        for at, (title, delay) in enumerate(rows):
            expect(shown.nth(at)).to_contain_text(title)
            expect(shown.nth(at)).to_contain_text(f"{delay} min")
        page.goto(page.url)
    expect(page.get_by_label("Value of filter 2")).to_have_value("JFK, EWR")
    page.get_by_role("button", name="Departure delay").click()
    expect(page.get_by_role("columnheader", name="Departure delay")).to_have_attribute("aria-sort", "ascending")


@pytest.mark.parametrize(
    ("kind", "name", "operator", "value", "condition"),
    [
        ("Flight", "Local date", "=", "2013-03-10", "flights WHERE month = 3 AND day = 10"),
        (
            "Flight",
            "Scheduled hour of departure",
            "<",
            "2013-01-01T11:00:00Z",
            "flights WHERE time_hour < '2013-01-01 11:00:00Z'",
        ),
        ("Weather observation", "Temperature", "≥", "99.5", "weather WHERE temp >= 99.5"),
        ("Flight", "Origin", "≠", "JFK", "flights WHERE origin <> 'JFK'"),
    ],
)
def test_each_type_of_property_is_compared_as_what_it_is(
    page: Page, explorer: str, oracle: Oracle, kind: str, name: str, operator: str, value: str, condition: str
) -> None:
    page.goto(f"{explorer}/")
    page.get_by_role("link", name=kind, exact=True).click()
    add_filter(page, 1, name, operator, value)
    page.get_by_role("button", name="Search").click()
    total(page, one(oracle, f"SELECT count(*) FROM {condition}"))


def test_codes_absence_and_places_have_fields_of_their_own(page: Page, explorer: str, oracle: Oracle) -> None:
    page.goto(f"{explorer}/?type=Airport")
    page.get_by_role("button", name="Add a filter").click()
    page.get_by_label("Property of filter 1").select_option(label="Daylight saving time")
    expect(page.get_by_label("Comparison of filter 1").get_by_role("option")).to_have_text(["=", "≠", "one of", "is"])
    page.get_by_label("Value of filter 1").select_option(label="none (N)")
    page.get_by_role("button", name="Search").click()
    total(page, one(oracle, "SELECT count(*) FROM airports WHERE dst = 'N'"))
    page.get_by_label("Property of filter 1").select_option(label="Time zone")
    page.get_by_label("Comparison of filter 1").select_option(label="is")
    page.get_by_label("Value of filter 1").select_option(label="absent")
    page.get_by_role("button", name="Search").click()
    total(page, one(oracle, r"SELECT count(*) FROM airports WHERE tzone IS NULL OR tzone = '\N'"))
    page.get_by_label("Property of filter 1").select_option(label="Location")
    expect(page.get_by_label("Comparison of filter 1").get_by_role("option")).to_have_text(["within", "is"])
    for member, number in {"latitude": "40.6397", "longitude": "-73.7789", "km": "20"}.items():
        page.get_by_label(f"Value of filter 1: {member}").fill(number)
    page.get_by_role("button", name="Search").click()
    total(
        page,
        one(
            oracle,
            "SELECT count(*) FROM airports WHERE 2 * 6371.0088 * asin(sqrt(pow(sin(radians(lat - 40.6397) / 2), 2) "
            "+ cos(radians(lat)) * cos(radians(40.6397)) * pow(sin(radians(lon + 73.7789) / 2), 2))) <= 20",
        ),
    )
    page.get_by_role("button", name="Remove filter 1").click()
    total(page, one(oracle, "SELECT count(*) FROM airports"))


def test_more_goes_on_where_the_page_ended_and_the_address_remembers_how_far(
    page: Page, explorer: str, oracle: Oracle
) -> None:
    page.goto(f"{explorer}/?type=Airport&sort=faa:asc")
    names = [row[0] for row in oracle.execute("SELECT name FROM airports ORDER BY faa LIMIT 150").fetchall()]
    rows = page.get_by_role("rowheader")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show 50 more").click()
    expect(rows).to_have_count(100)
    expect(page.get_by_role("button", name="Show 50 more")).to_be_focused()
    page.get_by_role("button", name="Show 50 more").press("Enter")
    expect(rows).to_have_text(names)
    page.reload()
    expect(rows).to_have_text(names)
    expect(page.get_by_role("status")).to_have_text("1,458 objects, 150 shown")


def test_the_last_page_says_no_more_and_leads_on_to_its_first_new_row(page: Page, atelier: str) -> None:
    page.goto(f"{atelier}/?type=Painting&shown=2")
    rows = page.get_by_role("rowheader")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Show 2 more").click()
    expect(rows).to_have_text(["Het melkmeisje", "<b>Not bold</b>", "By nobody known", "Strange too"])
    expect(page.get_by_role("button", name="more")).to_have_count(0)
    expect(page.get_by_role("link", name="By nobody known")).to_be_focused()


def test_nothing_found_says_what_to_try(page: Page, explorer: str) -> None:
    page.goto(f'{explorer}/?type=Plane&q=zeppelin&where=["seats",">",5]')
    total(page, 0)
    main = page.get_by_role("main")
    for name in ("leave out the filters", "search all types", "leave out the words"):
        expect(main.get_by_role("link", name=name)).to_be_visible()
    main.get_by_role("link", name="search for words that begin so: zeppelin*").click()
    expect(page.get_by_role("searchbox", name="Search by words")).to_have_value("zeppelin*")


def test_a_refusal_is_shown_with_what_is_allowed_and_where(refused_page: Page, explorer: str) -> None:
    page = refused_page
    page.goto(f"{explorer}/?type=Plane")
    add_filter(page, 1, "Year built", ">", "old")
    page.get_by_role("button", name="Search").click()
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("heading", name="Query refused")).to_be_visible()
    expect(alert).to_contain_text("year is integer, not 'old'")
    expect(alert.get_by_role("listitem")).to_have_text(["a whole number of 64 bits"])
    page.get_by_label("Value of filter 1").fill("2010")
    page.get_by_label("Value of filter 1").press("Enter")
    expect(alert).to_have_count(0)
    page.goto(f"{explorer}/?type=Zeppelin")
    expect(alert.get_by_role("listitem").filter(has_text="Airline")).to_be_visible()
    page.goto(f"{explorer}/?type=Plane&where=[%22engines%22,%22=%22,2]")
    expect(alert).to_contain_text("engines")
    expect(alert.get_by_role("listitem").filter(has_text="manufacturer")).to_be_visible()


def test_a_gateway_that_does_not_answer_is_told_with_what_to_do(browser: Browser, explorer: str) -> None:
    with opened_page(browser, "Failed to load resource") as page:
        page.goto(f"{explorer}/?type=Airline")
        total(page, 16)
        alert = page.get_by_role("alert")
        page.route("**/v1/search", lambda route: route.abort())
        page.get_by_role("searchbox", name="Search by words").fill("delta")
        page.get_by_role("button", name="Search").click()
        expect(alert).to_contain_text("Start it with `spice dev` or `spice serve`")
        page.unroute("**/v1/search")
        alert.get_by_role("button", name="Try again").click()
        total(page, 1)
        page.route("**/v1/types", lambda route: route.fulfill(status=503, json={"title": "Behind", "detail": "wait"}))
        page.reload()
        expect(alert.get_by_role("heading", level=1)).to_have_text("Behind")
        page.unroute("**/v1/types")
        alert.get_by_role("button", name="Try again").click()
        total(page, 1)


def test_korean_labels_are_shown_where_there_are_some_and_the_choice_is_kept(page: Page, atelier: str) -> None:
    page.goto(f"{atelier}/?type=Painting")
    page.get_by_role("link", name="한국어").click()
    expect(page.get_by_role("columnheader")).to_have_text(["제목", "painter", "number", "가격"])
    assert parse_qs(urlsplit(page.url).query) == {"type": ["Painting"], "lang": ["ko"]}
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    page.get_by_role("link", name="Het melkmeisje").click()
    expect(page.get_by_role("heading", name="속성")).to_be_visible()
    assert urlsplit(page.url).query == ""
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", name="Properties")).to_be_visible()
    page.goto(f"{atelier}/?lang=ko")
    expect(page.get_by_role("link", name="화가", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Frame", exact=True)).to_be_visible()
