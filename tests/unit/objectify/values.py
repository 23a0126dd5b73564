"""Hypothesis strategies: declared types and values of them, for the tests of canonical texts and keys."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from transforms.types import ColumnType

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DECIMALS = [(10, 4), (38, 38), (38, 0), (18, 9), (1, 1)]


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    top = 10**precision - 1
    return st.integers(-top, top).map(lambda digits: Decimal(f"{digits}E-{scale}"))


def values_of(kind: ColumnType) -> st.SearchStrategy[Any]:
    if kind.kind == "decimal":
        return decimals(kind.precision, kind.scale)
    finite = st.floats(allow_nan=False, allow_infinity=False)
    awkward = st.sampled_from([1e16, -0.0, 5e-324, 1e-5, 1e22, 0.1, 123456789012345680.0])
    doubles = finite | awkward
    return {
        "string": TEXTS,
        "enum": TEXTS,
        "integer": st.integers(-(2**63), 2**63 - 1),
        "double": doubles,
        "boolean": st.booleans(),
        "date": st.dates(),
        "timestamp": st.datetimes(timezones=st.just(UTC)),
        "geopoint": st.fixed_dictionaries({"lat": doubles, "lon": doubles}),
    }[kind.kind]


KINDS = ["string", "enum", "integer", "double", "boolean", "date", "timestamp", "geopoint"]
TYPES = [ColumnType(kind) for kind in KINDS] + [ColumnType("decimal", precision=p, scale=s) for p, s in DECIMALS]
KEY_TYPES = [declared for declared in TYPES if declared.usable_in_key]


def array_of(values: list[Any], declared: ColumnType) -> pa.Array:
    return pa.array(values, declared.arrow())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
