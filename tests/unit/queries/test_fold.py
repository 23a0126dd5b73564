"""The fold of events: the same store whatever the batches, and equal to the log by an independent fold."""

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ontology_assets.projections import json_columns
from ontology_assets.projections.cells import Unfit, decode, encode_column
from ontology_assets.projections.search import query_words, words_of
from ontology_assets.projections.sinks import ProjectionSink, graph_sink, search_sink
from resources.home import Home
from resources.read_model.query import Field, Kind, TypeLayout, Word
from tests.contracts.library import LIBRARY, Writer, as_batch, folded_digest

KEYS = ["a/1", "b/1", "c/2", "d/3"]
PROPERTIES = st.fixed_dictionaries(
    {"isbn": st.sampled_from("abcd"), "edition": st.integers(-(2**63), 2**63 - 1)},
    optional={
        "title": st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        "price": st.sampled_from(["0.00", "-0.01", "99999999.99", "12.50"]),
        "mass": st.sampled_from(["0.000000", "-999999999999999999999999.999999"]),
        "weight": st.floats(allow_nan=False, allow_infinity=False).map(lambda v: v + 0.0),
        "published": st.sampled_from(["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"]),
    },
)
LINKS = st.dictionaries(st.sampled_from(["written_by", "sequel_of"]), st.text("ab/%", max_size=3))
CHANGE = st.one_of(
    st.tuples(st.just("Book"), st.sampled_from(KEYS), PROPERTIES, LINKS),
    st.tuples(st.just("Book"), st.sampled_from(KEYS), st.none(), st.none()),
)


def dump(path: Path) -> list[list[Any]]:
    with sqlite3.connect(path) as connection:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
            for table in ("t1", "t2", "t3", "tombstones", "parked", "digest")
        ]


@pytest.mark.parametrize("at_once_from", [1, 256])
@pytest.mark.parametrize(("name", "build"), [("search", search_sink), ("graph", graph_sink)])
def test_batches_decide_nothing(
    name: str, build: Callable[[Home, Any], ProjectionSink], at_once_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_columns, "WORTH_IT", at_once_from)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(CHANGE, max_size=14), st.sets(st.integers(0, 14), max_size=2), st.randoms(use_true_random=False))
    def check(changes: list[Any], poison: set[int], random: Any) -> None:
        writer = Writer()
        events = [writer.event(change) for change in changes]
        broken = frozenset(k + 1 for k in poison if k < len(events) and events[k]["event_type"] != "ObjectDeleted")
        for position in broken:
            events[position - 1]["data"] = '{"state":{"links":{},"properties":{"pages":"many"}}}'
        dumps = []
        for cut in ("one", "each", "random"):
            with tempfile.TemporaryDirectory() as folder:
                sink = build(Home(Path(folder)), LIBRARY)
                sink.claim(1)
                at = 0
                while at < len(events):
                    step = {"one": len(events), "each": 1, "random": random.randint(1, 5)}[cut]
                    sink.apply(as_batch(events[at : at + step]), 1)
                    at += step
                assert sink.position() == len(events)
                assert sink.digest() == sink.recompute_digest() == folded_digest(events, broken)
                sink.close()
                dumps.append(dump(Path(folder) / "read" / f"{name}.sqlite"))
        assert dumps[0] == dumps[1] == dumps[2]

    check()


FIELDS = {
    Kind.DECIMAL: Field("x", Kind.DECIMAL, 5, 2),
    Kind.TIMESTAMP: Field("x", Kind.TIMESTAMP),
    Kind.DATE: Field("x", Kind.DATE),
    Kind.INTEGER: Field("x", Kind.INTEGER),
    Kind.DOUBLE: Field("x", Kind.DOUBLE),
    Kind.BOOLEAN: Field("x", Kind.BOOLEAN),
    Kind.GEOPOINT: Field("x", Kind.GEOPOINT),
    Kind.STRING: Field("x", Kind.STRING),
}


@pytest.mark.parametrize(
    ("kind", "values", "cells"),
    [
        (Kind.DECIMAL, ["1.50", "-0.05", None], [150, -5, None]),
        (Kind.TIMESTAMP, ["1970-01-01T00:00:01.000001Z", "1969-12-31T23:59:59.999999Z"], [1_000_001, -1]),
        (Kind.BOOLEAN, [True, False, None], [1, 0, None]),
        (Kind.DATE, ["2013-02-28", None], ["2013-02-28", None]),
        (Kind.DOUBLE, [1.5, 2, None], [1.5, 2.0, None]),
        (Kind.STRING, ["", "é", None], ["", "é", None]),
    ],
)
def test_cells_are_comparable_and_turn_back(kind: Kind, values: list[Any], cells: list[Any]) -> None:
    [column] = encode_column(FIELDS[kind], values)
    assert column == cells
    assert [decode(FIELDS[kind], [cell]) for cell in column] == values


def test_wide_decimals_compare_like_numbers() -> None:
    wide = Field("x", Kind.DECIMAL, 38, 2)
    values = ["-999999999999999999999999999999999999.99", "-0.01", "0.00", "0.01", "10.00", "9" * 36 + ".99"]
    [column] = encode_column(wide, values)
    assert sorted(column) == column
    assert [decode(wide, [cell]) for cell in column] == values


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.DECIMAL, "1.5"),
        (Kind.DECIMAL, "1000.00"),
        (Kind.DECIMAL, "１.50"),
        (Kind.DECIMAL, "1_0.50"),
        (Kind.DECIMAL, 1.5),
        (Kind.TIMESTAMP, "1970-01-01T00:00:01Z"),
        (Kind.TIMESTAMP, "1970-13-01T00:00:01.000000Z"),
        (Kind.DATE, "1970-1-1"),
        (Kind.INTEGER, True),
        (Kind.INTEGER, 1.0),
        (Kind.INTEGER, 2**63),
        (Kind.BOOLEAN, 1),
        (Kind.GEOPOINT, {"lat": 1.0}),
        (Kind.GEOPOINT, {"lat": 1.0, "lon": "1"}),
        (Kind.STRING, 1),
    ],
)
def test_a_value_of_another_form_is_unfit(kind: Kind, value: Any) -> None:
    with pytest.raises(Unfit, match="property x"):
        encode_column(FIELDS[kind], [None, value])


WORDS = TypeLayout("T", ("x",), "x", (Field("x", Kind.STRING, searched=True),), ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Name, of the-Rose!", "the name of the rose"),
        ("Éco ﬁn STRASSE straße", "eco fin strasse strasse"),
        ("대한항공", "대한항공 한항공 항공 공"),
        ("A320네오 x", "a320 네오 오 x"),
        ("snake_case 12.5", "snake case 12 5"),
        ("!?", None),
        ("", None),
        (None, None),
    ],
)
def test_words_of_a_text(text: str | None, words: str | None) -> None:
    assert words_of(WORDS, [[text]]) == [words]


def test_words_of_a_query() -> None:
    assert query_words("Rose ros* re-en* rose 항공") == (
        Word("rose", prefix=False),
        Word("ros", prefix=True),
        Word("re", prefix=False),
        Word("en", prefix=True),
        Word("항공", prefix=True),
    )
