"""The five-minute tutorial, followed to the letter in a new clone: every command, every edit, every output."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT
from tests.docs.tutorial import PAGE, Reader, Step, done, reader, shown, steps

STEPS = steps(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def newcomer_at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader(tmp_path_factory.mktemp("tutorial")) as one:
        yield one


@pytest.mark.parametrize("step", STEPS, ids=[f"{i:02} {step.kind}" for i, step in enumerate(STEPS, 1)])
def test_each_step_does_what_the_page_says(newcomer_at_work: Reader, step: Step) -> None:
    for command, output, now in done(newcomer_at_work, step):
        assert shown(command, now) == shown(command, output), f"$ {command}\n{now}"


def test_the_page_asks_for_nothing_that_is_not_run_here() -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```(\w+)", page)
    assert len(blocks) == len(STEPS)
    inline = set(re.findall(r"`((?:make|spice|\.venv/bin/spice) [a-z]+)", page))
    assert inline == {"make demo", "make dev", "spice init", "spice reset"}  # run elsewhere, or above


def test_the_page_is_the_first_that_a_reader_of_the_readme_is_sent_to() -> None:
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    for part in (text, text.partition("## What to do next")[2]):
        assert re.findall(r"\]\((docs/[^)]+\.md)\)", part)[0] == Path("docs/tutorial.md").as_posix()
