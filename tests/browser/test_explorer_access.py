"""The explorer for everyone: keyboard alone, names for screen readers, contrast, narrow windows, other schemes."""

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

PAGES = {
    "start": "/",
    "words": "/?q=air*",
    "search": '/?type=Flight&where=["dep_delay",">",600]&sort=dep_delay:desc',
    "nothing": "/?q=zeppelin",
    "object": "/objects/Flight/B6/709/JFK/2013-01-01T11%3A00%3A00Z",
    "missing": "/objects/Airport/SJU",
    "graph": "/graph/Airport/SJU?open=Airport/SJU:arrivals:20",
    "lineage": "/lineage/CarrierDay/mean_delay_jfk",
}
CONTRASTS = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const mixed = (over, under) => { const a = over[3] ?? 1; return [0, 1, 2].map((i) => over[i] * a + under[i] * (1 - a)); };
  const light = (rgb) => { const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      if (at instanceof SVGElement) {
        const face = at.matches('g') ? at.querySelector(':scope > rect.face') : null;
        if (face) layers.push(parts(getComputedStyle(face).fill));
        continue;
      }
      const colour = parts(getComputedStyle(at).backgroundColor);
      if ((colour[3] ?? 1) > 0) layers.push(colour);
    }
    return layers.reverse().reduce((under, over) => mixed(over, under), [255, 255, 255]);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest('.unseen, .skip, title, option, noscript')) continue;
    const style = getComputedStyle(element);
    const under = ground(element);
    const over = mixed(parts(element instanceof SVGElement ? style.fill : style.color), under);
    const [a, b] = [light(over), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 30)} <${element.tagName} class=${element.getAttribute('class')}>`);
  }
  return [...new Set(found)];
}"""
NAMELESS = """() => [...document.querySelectorAll('a, button, input, select, [role=button], [tabindex]')].filter((one) => {
  if (!one.checkVisibility() || one.id === 'main') return false;
  const text = one.getAttribute('aria-label') || one.labels?.[0]?.textContent || one.textContent || (one.getAttribute('aria-labelledby') && 'x');
  return !text.trim();
}).map((one) => one.outerHTML.slice(0, 120))"""
HEADINGS = "() => [...document.querySelectorAll('h1,h2,h3,h4')].filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))"


def settled(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable_in_both_schemes_and_narrow_windows_and_names_its_controls(
    refused_page: Page, explorer: str, name: str
) -> None:
    page = refused_page
    settled(page, explorer + PAGES[name])
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert page.evaluate(CONTRASTS) == [], scheme
    assert page.evaluate(NAMELESS) == []
    levels = page.evaluate(HEADINGS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    for landmark in ("banner", "main"):
        expect(page.get_by_role(landmark)).to_have_count(1)  # type: ignore[arg-type]
    ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_from_the_search_to_the_lineage_with_the_keyboard_alone(page: Page, explorer: str) -> None:
    page.goto(explorer)
    expect(page.get_by_role("heading", name="What there is")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox", name="Search by words")).to_be_focused()
    page.keyboard.type("hawaiian")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("objects")
    tab_to(page, page.get_by_role("rowheader", name="Hawaiian Airlines Inc.").first.get_by_role("link"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hawaiian Airlines Inc.")
    tab_to(page, page.get_by_role("link", name="Show in graph"))
    page.keyboard.press("Enter")
    start = page.get_by_role("button", name="Hawaiian Airlines Inc., Airline")
    tab_to(page, start)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="operates ← Flight")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("21 objects, 20 links")
    expect(page.get_by_role("button", name="operates ← Flight")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Open object").last).to_be_focused()
    page.keyboard.press("Enter")
    lineage = page.get_by_role("link", name="Lineage of Name")
    tab_to(page, lineage)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lineage of Name Airline.name")
    node = page.get_by_role("button", name="name, file/airlines, string, Source file")
    tab_to(page, node)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="name file/airlines#name")).to_be_visible()


def tab_to(page: Page, target: Any, most: int = 60) -> None:
    """Press Tab until the target has the focus, as a person would."""
    expect(target).to_be_visible()
    for _ in range(most):
        if target.evaluate("(one) => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} was not reached in {most} steps")


def test_an_object_is_told_to_screen_readers_by_its_parts(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/objects/Airline/HA")
    expect(page.get_by_role("heading", name="days")).to_contain_text("342")
    expect(page.get_by_role("main")).to_match_aria_snapshot("""
      - main:
        - article:
          - paragraph:
            - link "Airline"
          - heading "Hawaiian Airlines Inc." [level=1]
          - paragraph:
            - text: "Data status:"
            - strong: FULL
            - text: "Key:"
            - code: HA
          - paragraph:
            - link "Show in graph"
            - link "Lineage of the type"
            - link "JSON"
          - region "Properties":
            - heading "Properties" [level=2]
            - table:
              - rowgroup:
                - row "Property Value Type and name Lineage"
              - rowgroup:
                - row "Carrier code Key HA text carrier Lineage of Carrier code"
                - row "Name Hawaiian Airlines Inc. text name Lineage of Name"
          - region "Links to here":
            - heading "Links to here" [level=2]
            - heading "operates 342 Flight" [level=3]
            - list
            - heading "days 342 Carrier's day" [level=3]
            - list
          - region "History 1":
            - heading "History 1" [level=2]
            - list:
              - listitem:
                - heading "Created version 1" [level=3]
    """)


def test_enlarged_text_and_reduced_motion_change_nothing_that_is_said(browser: Browser, explorer: str) -> None:
    context = browser.new_context(
        viewport={"width": 720, "height": 900}, reduced_motion="reduce", forced_colors="active", device_scale_factor=2
    )
    page = context.new_page()
    settled(page, explorer + PAGES["object"])
    expect(page.get_by_role("rowheader", name="Departure delay")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    context.close()
