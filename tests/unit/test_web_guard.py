"""Who is let in by `WebGuard`: own pages and programs; not foreign pages, not foreign names."""

import pytest
from starlette.datastructures import Headers

from gateway.web_guard import is_loopback, names_of, refusal

OURS = names_of("127.0.0.1")


def status(method: str = "POST", **headers: str) -> int | None:
    found = refusal(method, Headers({key.replace("_", "-"): value for key, value in headers.items()}), OURS)
    return found.status if found else None


@pytest.mark.parametrize("host", ["localhost", "localhost:3000", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST:3000"])
def test_own_names_are_answered(host: str) -> None:
    assert status(host=host) is None


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.nip.io"]
)
def test_other_names_are_not(host: str) -> None:
    assert status(host=host) == 421


def test_the_own_page_may_post_and_open_a_websocket() -> None:
    for method in ("POST", "WEBSOCKET"):
        assert (
            status(method, host="localhost:3000", origin="http://localhost:3000", sec_fetch_site="same-origin") is None
        )


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:8000", "http://127.0.0.1:3000", "http://localhost"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "WEBSOCKET"])
def test_pages_of_another_origin_may_not(method: str, origin: str) -> None:
    assert status(method, host="localhost:3000", origin=origin) == 403


def test_an_image_of_another_page_may_not_but_a_link_may() -> None:
    assert status("GET", host="localhost:3000", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403
    assert status("GET", host="localhost:3000", sec_fetch_site="cross-site", sec_fetch_mode="navigate") is None
    assert status("POST", host="localhost:3000", sec_fetch_site="cross-site", sec_fetch_mode="navigate") == 403


def test_a_listener_on_all_addresses_answers_to_the_machines_own_addresses() -> None:
    assert not is_loopback("0.0.0.0")
    assert "127.0.0.1" in names_of("0.0.0.0")
    assert "evil.example" not in names_of("0.0.0.0")
    assert "192.0.2.7" in names_of("192.0.2.7")
