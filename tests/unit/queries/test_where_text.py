"""Conditions typed on a command line."""

from typing import Any

import pytest

from ontology_assets.projections.layouts import type_layout
from ontology_assets.queries.conditions import read_conditions
from ontology_assets.queries.refusal import QueryRefused
from ontology_assets.queries.where_text import parse_where
from tests.contracts.library import LIBRARY

BOOK = type_layout(LIBRARY.object_types["Book"])
AUTHOR = type_layout(LIBRARY.object_types["Author"])


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("pages > 60", ["pages", ">", 60]),
        ("pages>=60", ["pages", ">=", 60]),
        ("pages != -5", ["pages", "!=", -5]),
        ("  pages   <  60 ", ["pages", "<", 60]),
        ("weight = 0.5", ["weight", "=", 0.5]),
        ("price = 12.50", ["price", "=", "12.50"]),
        ("title = The Name of the Rose", ["title", "=", "The Name of the Rose"]),
        ("title = 60", ["title", "=", "60"]),
        ('title = " a = b "', ["title", "=", " a = b "]),
        ("title = ", ["title", "=", ""]),
        ("title = in is_null", ["title", "=", "in is_null"]),
        ("genre in f,n", ["genre", "in", ["f", "n"]]),
        ("pages in [1, 2]", ["pages", "in", [1, 2]]),
        ('title in ["a,b", "c"]', ["title", "in", ["a,b", "c"]]),
        ("pages is_null", ["pages", "is_null", True]),
        ("pages is_null false", ["pages", "is_null", False]),
        ("published >= 2013-01-01T11:00:00Z", ["published", ">=", "2013-01-01T11:00:00Z"]),
    ],
)
def test_a_condition_is_typed_by_its_property(text: str, condition: list[Any]) -> None:
    assert parse_where(text, BOOK) == condition
    read_conditions([condition], "where", BOOK)


@pytest.mark.parametrize("text", ["home within 45.46,9.19,1", "home within 45.46 9.19 1", "home within 45.46, 9.19, 1"])
def test_a_circle_is_three_numbers(text: str) -> None:
    assert parse_where(text, AUTHOR) == ["home", "within", {"lat": 45.46, "lon": 9.19, "km": 1}]


def test_a_boolean_is_true_or_false() -> None:
    assert parse_where("living = true", AUTHOR) == ["living", "=", True]


@pytest.mark.parametrize("text", ["", "pages", "pages 60", "> 60", "pages => 60", "pages ~ 60"])
def test_text_of_another_form_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(QueryRefused) as refused:
        read_conditions([parse_where(text, BOOK)], "where", BOOK)
    assert refused.value.allowed


@pytest.mark.parametrize("text", ["pages > many", "living = yes", "nothing = 1", "home within here"])
def test_a_wrong_value_or_name_is_left_to_the_reader_of_documents(text: str) -> None:
    layout = BOOK if text.startswith(("pages", "nothing")) else AUTHOR
    with pytest.raises(QueryRefused) as refused:
        read_conditions([parse_where(text, layout)], "where", layout)
    assert refused.value.allowed
