"""`make bench` tells figures in one form, and is red for a missed ratio, a failed benchmark, a line that is no figure."""

import json
import sys

import pytest

from tests.benchmarks.__main__ import run, status, summary
from tests.benchmarks.figures import Figure

GOOD = {"name": "append, events/s", "ours": 50, "bare": 100.0, "ratio": 0.5, "want": 0.5, "machine": "m"}


def bench(*lines: object, end: int = 0) -> list[str]:
    """A benchmark that prints these lines."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return [sys.executable, "-c", f"import sys\nfor line in {texts!r}: print(line)\nsys.exit({end})"]


def test_a_figure_is_read_back_as_it_was_told() -> None:
    figure = Figure.parse(json.dumps(GOOD))
    assert json.loads(figure.line()) == GOOD
    assert not figure.missed
    assert Figure.parse(json.dumps({**GOOD, "ratio": 0.4999})).missed
    assert not Figure.parse(json.dumps({**GOOD, "bare": None, "ratio": None, "want": None})).missed


@pytest.mark.parametrize(
    "line",
    [
        "seconds: 5",
        "[1, 2]",
        json.dumps({"figure": "x", "value": 1}),
        json.dumps({**GOOD, "unit": "s"}),
        json.dumps(dict(reversed(GOOD.items()))),
        json.dumps({**GOOD, "ours": None}),
        json.dumps({**GOOD, "ours": "50"}),
        json.dumps({**GOOD, "ratio": None}),
        json.dumps({**GOOD, "ratio": float("nan")}),
    ],
)
def test_another_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        Figure.parse(line)


def test_reached_ratios_are_green(capsys: pytest.CaptureFixture[str]) -> None:
    ran = [run("one", bench(GOOD, {**GOOD, "want": None, "ratio": 0.1})), run("two", bench(GOOD))]
    assert status(ran) == 0
    assert summary(ran)[-1] == "2 of 2 ratios reached, 0 of 2 benchmarks failed"
    assert len(capsys.readouterr().out.splitlines()) == 3, "shown as they come"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (bench({**GOOD, "ratio": 0.49}), "missed: append, events/s: 0.49 of the bare tool, at least 0.5 is wanted"),
        (bench(GOOD, end=3), "failed: one ended 3 with 1 figures"),
        (bench(), "failed: one ended 0 with 0 figures"),
        (bench(GOOD, "by the way"), "no figure: one: by the way"),
    ],
)
def test_anything_else_is_red(command: list[str], told: str) -> None:
    ran = [run("one", command)]
    assert status(ran) == 1
    assert told in summary(ran)
