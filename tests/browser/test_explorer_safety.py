"""What the explorer's files may do: nothing from elsewhere, nothing inline, no text that becomes markup."""

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request

from gateway.explorer.pages import STATIC
from gateway.explorer.pages import explorer_routes as routes
from tests.browser.conftest import opened_page

SCRIPTS = sorted(STATIC.glob("*.js"))
PAGES = (
    "/",
    "/?q=delta",
    "/objects/Airline/HA",
    "/graph/Airline/HA?open=Airline/HA:operates:20",
    "/lineage/Airline/name",
)


@pytest.mark.parametrize("address", PAGES)
def test_a_page_asks_its_own_server_only_and_breaks_no_rule_of_its_policy(
    page: Page, explorer: str, address: str
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.goto(explorer + address)
    page.wait_for_load_state("networkidle")
    assert len(asked) > 10
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(explorer).netloc}
    # A script that is put into the page, and an address of elsewhere, are refused by the policy, not by good manners.
    refused = page.evaluate("""async () => {
      const told = [];
      document.addEventListener('securitypolicyviolation', (event) => told.push(event.effectiveDirective));
      try { document.body.innerHTML = '<b>x</b>'; } catch { told.push('trusted-types'); }
      try { const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.head.append(s); } catch { told.push('script'); }
      return [window.owned ?? null, told.includes('trusted-types')];
    }""")
    assert refused == [None, True]
    page.remove_listener("request", note)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which the policy may refuse what the test tries."""
    with opened_page(browser, "This document requires 'Trusted") as opened:
        yield opened


def test_the_document_and_its_files_carry_the_headers(explorer: str) -> None:
    for address in ("/", "/objects/Airline/HA", "/explorer/main.js", "/explorer/base.css", "/explorer/icon.svg"):
        with urllib.request.urlopen(explorer + address) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self';")
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-cache"
    request = urllib.request.Request(f"{explorer}/explorer/main.js")
    with urllib.request.urlopen(request) as answer:
        known = answer.headers["ETag"]
    request.add_header("If-None-Match", known)
    with pytest.raises(urllib.error.HTTPError, match="304"):
        urllib.request.urlopen(request)


def test_only_the_files_of_the_page_are_served(explorer: str) -> None:
    host, port = urlsplit(explorer).hostname, urlsplit(explorer).port
    for path in ("/explorer/../pages.py", "/explorer/%2e%2e/pages.py", "/explorer/..%2fpages.py", "/explorer/"):
        with socket.create_connection((host, port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status = connection.makefile("rb").readline()
        assert b" 404 " in status or b" 400 " in status, (path, status)


def test_scripts_make_no_markup_of_texts() -> None:
    assert len(SCRIPTS) > 20
    for script in SCRIPTS:
        text = script.read_text()
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser", text
        )
        assert found == [], script.name
        # Modules and addresses of this server only; the one foreign name is that of SVG's namespace.
        outside = [url for url in re.findall(r"https?://[^\s\"'`]+", text) if url != "http://www.w3.org/2000/svg"]
        assert outside == [], script.name
        assert all(name.startswith("/explorer/") for name in re.findall(r'(?:from |import\()"([^"]+)"', text)), (
            script.name
        )


def test_files_are_small_and_have_one_subject() -> None:
    for file in STATIC.iterdir():
        lines = file.read_text().splitlines()
        assert len(lines) <= 300, file.name
        if file.suffix in {".js", ".css"}:
            assert lines[0].startswith("/*"), f"{file.name} does not say what it is for"


def test_both_languages_have_every_text_and_every_text_is_used() -> None:
    texts = dict(re.findall(r"^  (\w+): (\{.*\}),$", (STATIC / "texts.js").read_text(), re.MULTILINE))
    assert all(re.match(r'\{ en: ".+", ko: ".+" \}', entry) for entry in texts.values())
    code = "\n".join(script.read_text() for script in SCRIPTS if script.name != "texts.js")
    quoted = set(re.findall(r'"([a-z_]+)"', code))
    made = {name for name in texts if re.match(r"(status|layer)_", name)}
    assert set(texts) - made - quoted == set()
    assert set(re.findall(r'\bt\("([a-z_]+)"', code)) <= set(texts)


def test_every_page_has_a_route() -> None:
    paths = [getattr(route, "path", "") for route in routes()]
    assert paths == [
        "/",
        "/objects/{type}/{key:id}",
        "/graph/{type}/{key:id}",
        "/lineage/{type}/{property}",
        "/lineage/{type}",
        "/explorer",
    ]
    assert Path(STATIC / "page.html").exists()


def test_without_scripts_the_page_says_what_to_do() -> None:
    # Chromium under playwright shows no `noscript`, so the text is looked for where it stands.
    page = (STATIC / "page.html").read_text()
    assert re.search(r"<noscript><p .*>.*Switch JavaScript on, or use the API.*</p></noscript>", page)
    assert re.findall(r"<script[^>]*>(.*)</script>", page) == [""]
    assert " style=" not in page
    assert " on" not in "".join(re.findall(r"<[^>]+>", page))
