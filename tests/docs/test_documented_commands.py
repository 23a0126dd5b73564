"""Every command in README and docs runs as it is written, on a finished home."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT
from tests.conftest import Spice

PAGES = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    """(page, text) of each fenced block of a language."""
    return [
        (page.name, text)
        for page in PAGES
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if kind == language
    ]


COMMANDS = [(page, line) for page, text in blocks("sh") for line in text.splitlines() if line.startswith(".")]
TARGETS = sorted(
    {target for page in PAGES for target in re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8"))}
)


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}: {line}" for page, line in COMMANDS])
def test_a_documented_command_runs(page: str, line: str, demo_home: Path) -> None:
    words = shlex.split(line)
    assert words[0] == ".venv/bin/spice", f"{page}: only spice commands stand in sh blocks"
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *words[1:]],
        cwd=PROJECT_ROOT,
        env={**os.environ, "SPICE_HOME": str(demo_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()


@pytest.mark.parametrize("target", TARGETS)
def test_a_documented_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_documented_graph_question_is_answered(demo: Spice) -> None:
    (_, text), *_ = blocks("json")
    answer = demo.json("graph", "-", stdin=text)
    assert {node["type"] for node in answer["nodes"]} == {"Plane", "Flight", "Airport"}
    assert answer["truncated"] is False


def test_every_link_in_the_docs_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_definition_reference_is_current() -> None:
    from ontology_assets.model import reference

    page = PROJECT_ROOT / "docs" / "definitions.md"
    text = page.read_text(encoding="utf-8")
    assert reference.refreshed(text, PROJECT_ROOT) == text


def test_the_problem_of_a_wrong_question_is_one_document(demo: Spice) -> None:
    done = demo.run("search", "", "--type", "Flight", "--where", "colour = red", "--json", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert set(json.loads(done.stderr)) == {"type", "title", "status", "detail", "where", "allowed"}
