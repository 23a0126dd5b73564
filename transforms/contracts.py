"""Contracts: what a consumer of a table relies on, checked by pandera; a broken contract always blocks.

Types are compared on the table's schema, rules on values on the distinct values (`transforms.check_tables`). The
results are plain values (`CheckOutcome`), one per rule.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import Lake
from resources.spark import before_pyspark
from transforms.check_tables import MAX_SAMPLES, ROWS, Reduction, as_pandas, text_values
from transforms.definitions import ColumnContract, Contract
from transforms.outcomes import CheckName, CheckOutcome, contract_names
from transforms.types import parse_type


def evaluate_contract(
    table: str,
    contract: Contract | None,
    lake: Lake,
    partitions: Sequence[str] | None,
    *,
    types: Mapping[str, str] | None = None,
) -> list[CheckOutcome]:
    """The outcome of each rule, in the order of `contract_names`, over the named partitions (None = all).

    `types`: the columns that must be there, with their types (a trailing `?` is not looked at: missing values are a
    rule of their own).
    """
    if contract is None:
        return []
    before_pyspark()  # pandera looks for pyspark
    names = iter(contract_names(contract))
    reduction = Reduction(table, lake, partitions)
    there = reduction.schema.names
    if contract.unique:
        reduction.want(contract.unique, f"{table}: contract.unique")
    for column, rule in contract.columns.items():
        if column in there:
            reduction.want([column], f"{table}: contract.columns.{column}")
            _check_bounds_fit(reduction, column, rule, f"{table}: contract.columns.{column}")
    reduction.read()
    outcomes = [_columns(reduction, next(names), {**dict.fromkeys(contract.columns), **(types or {})})]
    if contract.unique:
        outcomes.append(_unique(reduction, next(names), contract.unique))
    for column, rule in contract.columns.items():
        outcomes.append(_column(reduction, next(names), column, rule, there))
    return outcomes


def _passed(name: CheckName, observed: str) -> CheckOutcome:
    return CheckOutcome(name.name, passed=True, severity=name.severity, expected=name.expected, observed=observed)


def _failed(name: CheckName, observed: str, failing: int, samples: Sequence[Mapping[str, Any]] = ()) -> CheckOutcome:
    return CheckOutcome(
        name.name,
        passed=False,
        severity=name.severity,
        expected=name.expected,
        observed=observed,
        failing_count=failing,
        samples=list(samples),
    )


def _check_bounds_fit(reduction: Reduction, column: str, rule: ColumnContract, where: str) -> None:
    kind = reduction.schema.field(column).type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if (rule.min is not None or rule.max is not None) and not numeric:
        raise SpiceError("Rule does not fit", f"min and max need numbers; {column} is {kind}.", where=where)


def _failures(frame: Any, schema: Any) -> set[int]:
    """Ordinals of the rows of a reduced table that pandera refuses."""
    from pandera.errors import SchemaErrors

    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        return {int(index) for index in cases["index"] if index == index and index is not None}  # noqa: PLR0124 - NaN
    return set()


def _columns(reduction: Reduction, name: CheckName, types: Mapping[str, str | None]) -> CheckOutcome:
    """Whether the declared columns are there in their types."""
    import pandas as pd
    import pandera.pandas as pandera
    from pandera.errors import SchemaErrors

    columns = {
        column: pandera.Column(None if kind is None else pd.ArrowDtype(parse_type(kind).arrow()), nullable=True)
        for column, kind in types.items()
    }
    frame = reduction.schema.empty_table().to_pandas(types_mapper=pd.ArrowDtype)
    try:
        pandera.DataFrameSchema(columns).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases.to_dict("records")
        wrong = [_column_fault(case, types, frame) for case in cases]
        return _failed(name, "; ".join(wrong), len(wrong))
    return _passed(name, f"{len(types)} columns as declared")


def _column_fault(case: Mapping[str, Any], types: Mapping[str, str | None], frame: Any) -> str:
    column = case["column"] if case["column"] in types else case["failure_case"]
    if column not in frame.columns:
        return f"column {column} is not there"
    return f"column {column} is {frame[column].dtype.pyarrow_dtype}, not {types[column]}"


def _unique(reduction: Reduction, name: CheckName, keys: list[str]) -> CheckOutcome:
    import pandera.pandas as pandera

    counted = reduction.counted[tuple(keys)]
    frame = as_pandas(counted.select([ROWS]))
    bad = _failures(frame, pandera.DataFrameSchema({ROWS: pandera.Column(checks=pandera.Check.le(1))}))
    if not bad:
        seen = f"{counted.num_rows:,} different keys in {reduction.total:,} rows"
        return _passed(name, seen)
    several = counted.take(pa.array(sorted(bad), pa.int64()))
    failing = pc.sum(several[ROWS]).as_py()
    observed = f"{several.num_rows:,} keys are there more than once, in {failing:,} rows"
    samples = several.slice(0, MAX_SAMPLES).to_pylist()
    return _failed(name, observed, failing, samples)


def _column(
    reduction: Reduction, name: CheckName, column: str, rule: ColumnContract, there: Sequence[str]
) -> CheckOutcome:
    import pandera.pandas as pandera

    if column not in there:
        return _failed(name, "the column is not there", reduction.total)
    counted = reduction.counted[(column,)]
    texts = text_values(counted[column])
    checks = []
    if rule.min is not None:
        checks.append(pandera.Check.ge(rule.min))
    if rule.max is not None:
        checks.append(pandera.Check.le(rule.max))
    on_values = pandera.Column(checks=checks, nullable=rule.null is not False)
    bad = _failures(as_pandas(counted.select([column])), pandera.DataFrameSchema({column: on_values}))
    on_texts = []
    if rule.matches is not None:
        on_texts.append(pandera.Check.str_contains(rule.matches))
    if rule.values is not None:
        on_texts.append(pandera.Check.isin(rule.values))
    if on_texts:
        frame = pa.table({column: texts}).to_pandas()
        bad |= _failures(frame, pandera.DataFrameSchema({column: pandera.Column(checks=on_texts, nullable=True)}))
    if not bad:
        seen = f"{reduction.total:,} rows, {counted.num_rows:,} distinct values"
        return _passed(name, seen)
    wrong = counted.take(pa.array(sorted(bad), pa.int64()))
    failing = pc.sum(wrong[ROWS]).as_py()
    shown = ["(missing)" if value is None else str(value) for value in wrong[column].slice(0, 5).to_pylist()]
    observed = f"{failing:,} of {reduction.total:,} rows: {', '.join(shown)}{', ...' if wrong.num_rows > 5 else ''}"
    samples = reduction.samples(column, wrong[column].slice(0, 100).combine_chunks())
    return _failed(name, observed, failing, samples)
