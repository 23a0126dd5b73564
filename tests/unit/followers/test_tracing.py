"""Trace contexts: which headers are taken, and what an event's message carries."""

import json

import pyarrow as pa
import pytest

from ontology_assets.tracing import read_traceparent, traceparents

W3C = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
RUN = "7c0b6e2a-91f4-4d3e-8a55-0f6f7c1d2e3f"


@pytest.mark.parametrize("header", [W3C, f" {W3C} ", W3C[:-2] + "00"])
def test_a_w3c_header_is_taken_as_it_is(header: str) -> None:
    assert read_traceparent(header) == header.strip()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        W3C.upper(),
        W3C + "-00",
        W3C.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        W3C.replace("00f067aa0ba902b7", "0" * 16),
        "ff" + W3C[2:],
        "01" + W3C[2:],
        W3C.replace("-", "_"),
        W3C + "\n" + W3C,
    ],
)
def test_any_other_header_is_as_good_as_none(header: str | None) -> None:
    assert read_traceparent(header) is None


def of(*events: tuple[object, str]) -> list[str | None]:
    texts = [one if isinstance(one, str) else json.dumps(one, separators=(",", ":")) for one, _ in events]
    columns = [pa.array(texts, pa.string()), pa.array([batch_id for _, batch_id in events], pa.string())]
    batch = pa.RecordBatch.from_arrays(columns, ["metadata", "batch_id"])
    found: list[str | None] = traceparents(batch).to_pylist()
    return found


def test_a_command_s_own_context_is_passed_on() -> None:
    assert of(({"request": "ab", "traceparent": W3C}, "b")) == [W3C]


def test_a_run_s_events_are_one_trace_named_by_the_run_and_a_batch_is_its_parent() -> None:
    one, two, other = of(({"run_id": RUN}, "b1"), ({"row": 3, "run_id": RUN}, "b1"), ({"run_id": RUN}, "b2"))
    assert one is not None
    assert read_traceparent(one) == one
    assert one.split("-")[1] == RUN.replace("-", "")
    assert two == one
    assert other is not None
    assert (other.split("-")[1], other != one) == (one.split("-")[1], True)


def test_slices_of_a_batch_say_the_same_as_the_whole() -> None:
    given = [({"run_id": RUN, "row": n}, "b1") for n in range(50)] + [
        ({"traceparent": W3C, "n": n}, "c") for n in (1, 2)
    ]
    texts = pa.array([json.dumps(one, separators=(",", ":")) for one, _ in given])
    whole = pa.RecordBatch.from_arrays([texts, pa.array([batch for _, batch in given])], ["metadata", "batch_id"])
    parts = [traceparents(whole.slice(first, 7)).to_pylist() for first in range(0, len(given), 7)]
    assert [one for part in parts for one in part] == traceparents(whole).to_pylist()
    assert traceparents(whole).to_pylist()[-2:] == [W3C, W3C]


def test_an_event_of_neither_has_none() -> None:
    assert of(({}, "b"), ({"run_id": "bench"}, "b"), ({"file": f'"traceparent":"{W3C}"'}, "b")) == [None, None, None]
    assert of() == []
