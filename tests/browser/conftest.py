"""One browser for all page tests; each test has a page of its own, and fails if the page said an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from gateway.domains import domains
from resources.home import Home
from tests.browser.chromium import chromium
from tests.browser.explorer import ATELIER, make_home, served

REFUSED = "Failed to load resource: the server responded with a status of 4"
"""What the browser itself notes about each answer that is a problem document."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@contextmanager
def opened_page(browser: Browser, tolerated: str | None = None) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en")
    page = context.new_page()
    faults: list[str] = []

    def noted(message: ConsoleMessage) -> None:
        if message.type == "error" and not (tolerated and message.text.startswith(tolerated)):
            faults.append(message.text)

    page.on("console", noted)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert not faults, faults


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened_page(browser) as page:
        yield page


@pytest.fixture
def refused_page(browser: Browser) -> Iterator[Page]:
    """A page that may be refused something (status 4xx) without failing the test."""
    with opened_page(browser, REFUSED) as page:
        yield page


@pytest.fixture(scope="session")
def explorer(demo_home: Path) -> Iterator[str]:
    """Root address of the gateway over the finished demo's home."""
    with served(Home(demo_home), domains()) as address:
        yield address


@pytest.fixture(scope="session")
def atelier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Root address of the gateway over a small home of awkward values (tests/browser/explorer.py)."""
    with served(make_home(tmp_path_factory.mktemp("atelier")), [ATELIER]) as address:
        yield address
