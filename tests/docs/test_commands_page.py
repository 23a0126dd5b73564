"""The pages on commands and replays, followed to the letter on a copy of the demo: every command, every output."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.commands_page import PAGES, STEPS, reader_with_demo, settled
from tests.docs.tutorial import Reader, Step, done


@pytest.fixture(scope="module")
def reader(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader_with_demo(demo_home, tmp_path_factory.mktemp("commands")) as one:
        yield one


@pytest.mark.parametrize(
    "step",
    [step for page in STEPS.values() for step in page],
    ids=[f"{name} {i:02} {step.kind}" for name, page in STEPS.items() for i, step in enumerate(page, 1)],
)
def test_each_step_does_what_the_page_says(reader: Reader, step: Step) -> None:
    for command, output, now in done(reader, step):
        assert settled(now) == settled(output), f"$ {command}\n{now}"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_shows_nothing_that_is_not_run_here(name: str) -> None:
    assert len(re.findall(r"^```\w", PAGES[name].read_text(encoding="utf-8"), re.MULTILINE)) == len(STEPS[name])
