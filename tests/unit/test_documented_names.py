"""What the pages name is there: test files, and the pages that they link to."""

import re
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
PAGES = [PROJECT_ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
NAMED = re.compile(r"`(tests/[\w/.]+)`")
LINKED = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_and_linked_pages_exist(page: Path) -> None:
    text = page.read_text()
    missing = [name for name in NAMED.findall(text) if not (PROJECT_ROOT / name).exists()]
    missing += [link for link in LINKED.findall(text) if not (page.parent / link).exists()]
    assert not missing


def test_each_guarantee_names_a_test_that_tries_to_break_it() -> None:
    """The simulator and the kills by name, as the page explains, all others by their files."""
    text = (DOCS / "guarantees.md").read_text()
    table = text.split("## Guarantees")[1].split("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 15
    for guarantee, faults, carried_by, tried_by in rows:
        assert all(cell.strip() for cell in (guarantee, faults, carried_by))
        assert NAMED.search(tried_by) or "simulator" in tried_by, guarantee
