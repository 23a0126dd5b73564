"""Every `curl` in README and docs is answered, as it is written, by a gateway over a finished home."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from resources.home import PROJECT_ROOT
from tests.served import served

DEFAULT = "http://127.0.0.1:3100"
PAGES = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
REQUESTS = [
    (page.name, line)
    for page in PAGES
    for text in BLOCK.findall(page.read_text(encoding="utf-8"))
    for line in text.splitlines()
    if line.startswith("curl ")
]


WRITTEN = [
    line.removeprefix("$ ").replace("'", "").partition("?")[0]
    for page in ("commands", "replay", "rebuild")
    for line in (PROJECT_ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("$ curl ")
]
"""Those that change something: `test_commands_page.py` does them, on a home of their own; an undo is done in
`tests/embedded/test_generations_over_http.py`."""


@pytest.fixture(scope="module")
def address(demo_home: Path) -> Iterator[str]:
    with served(demo_home) as address:
        yield address


def test_every_address_of_the_api_has_an_example(address: str) -> None:
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    for path in paths:
        form = re.sub(r"\\{key\\}", "[^ ]+", re.sub(r"\\{(?!key)\w+\\}", "[^/ ]+", re.escape(path)))
        lines = [*(line for _, line in REQUESTS), *WRITTEN]
        assert any(re.search(rf"{re.escape(DEFAULT)}{form}(?: |$)", line) for line in lines), path


@pytest.mark.parametrize(("page", "line"), REQUESTS, ids=[f"{page}: {line[:90]}" for page, line in REQUESTS])
def test_a_documented_request_is_answered(page: str, line: str, address: str) -> None:
    """Read as curl reads it: the options that stand there, and no others."""
    words = iter(shlex.split(line)[1:])
    headers: dict[str, str] = {}
    body: str | None = None
    target = ""
    for word in words:
        match word:
            case "-s":
                pass
            case "-H":
                name, _, value = next(words).partition(":")
                headers[name] = value.strip()
            case "-d":
                body = next(words)
            case _:
                assert word.startswith(DEFAULT), f"{page}: {word} is an option that this test does not know"
                target = address + word.removeprefix(DEFAULT)
    answer = httpx.request("GET" if body is None else "POST", target, headers=headers, content=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()
