"""Contracts: what a consumer of a table relies on, checked by pandera; a broken contract always blocks.

Types are compared on the table's schema, rules on values on the distinct values (`transforms.check_tables`). The
results are plain values (`Finding`), one per rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.spark import before_pyspark
from transforms.check_tables import ROWS, Reduction, as_pandas, is_nan, is_numeric, text_values
from transforms.findings import Finding, not_there, refused, repeated
from transforms.outcomes import CheckName, contract_names
from transforms.rule_definitions import ColumnContract, Contract
from transforms.types import parse_type


@dataclass(frozen=True)
class ContractRules:
    """A contract over a reduction: `want` before it is read, `findings` after.

    `types`: the columns that must be there, with their types (a trailing `?` is not looked at: missing values are a
    rule of their own).
    """

    contract: Contract
    reduction: Reduction
    types: Mapping[str, str]

    def names(self) -> list[CheckName]:
        return contract_names(self.contract)

    def want(self) -> None:
        there, table = self.reduction.schema.names, self.reduction.table
        if self.contract.unique and not self.reduction.missing(self.contract.unique):
            self.reduction.want(self.contract.unique, f"{table}: contract.unique")
        for column, rule in self.contract.columns.items():
            if column in there:
                where = f"{table}: contract.columns.{column}"
                self.reduction.want([column], where)
                _check_bounds_fit(self.reduction, column, rule, where)

    def findings(self) -> list[Finding]:
        """The finding of each rule, in the order of the names."""
        before_pyspark()  # pandera looks for pyspark
        findings = [_columns(self.reduction, {**dict.fromkeys(self.contract.columns), **self.types})]
        if self.contract.unique:
            findings.append(_unique(self.reduction, self.contract.unique))
        columns = self.contract.columns
        return findings + [_column(self.reduction, column, rule) for column, rule in columns.items()]


def _check_bounds_fit(reduction: Reduction, column: str, rule: ColumnContract, where: str) -> None:
    kind = reduction.schema.field(column).type
    if (rule.min is not None or rule.max is not None) and not is_numeric(kind):
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


def _columns(reduction: Reduction, types: Mapping[str, str | None]) -> Finding:
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
        return Finding(passed=False, observed="; ".join(wrong), failing=len(wrong))
    return Finding(passed=True, observed=f"{len(types)} columns as declared")


def _column_fault(case: Mapping[str, Any], types: Mapping[str, str | None], frame: Any) -> str:
    column = case["column"] if case["column"] in types else case["failure_case"]
    if column not in frame.columns:
        return f"column {column} is not there"
    return f"column {column} is {frame[column].dtype.pyarrow_dtype}, not {types[column]}"


def _unique(reduction: Reduction, keys: list[str]) -> Finding:
    import pandera.pandas as pandera

    if gone := reduction.missing(keys):
        return not_there(gone)
    counted = reduction.counted[tuple(keys)]
    frame = as_pandas(counted.select([ROWS]))
    bad = _failures(frame, pandera.DataFrameSchema({ROWS: pandera.Column(checks=pandera.Check.le(1))}))
    return repeated(reduction, tuple(keys), counted.take(pa.array(sorted(bad), pa.int64())))


def _column(reduction: Reduction, column: str, rule: ColumnContract) -> Finding:
    import pandera.pandas as pandera

    if reduction.missing([column]):
        return not_there([column])
    counted = reduction.counted[(column,)]
    texts = text_values(counted[column])
    checks = []
    if rule.min is not None:
        checks.append(pandera.Check.ge(rule.min))
    if rule.max is not None:
        checks.append(pandera.Check.le(rule.max))
    nan = is_nan(counted[column])
    outside = set(pc.indices_nonzero(nan).to_pylist()) if checks else set()
    inside = pc.if_else(nan, 0.0, counted[column]) if pc.any(nan).as_py() else counted[column]
    on_values = pandera.Column(nullable=rule.null is not False)
    bad = outside | _failures(as_pandas(pa.table({column: inside})), pandera.DataFrameSchema({column: on_values}))
    if checks:
        plain = pa.table({column: counted[column], "_at": pa.array(range(counted.num_rows), pa.int64())})
        plain = plain.filter(pc.invert(nan))
        bounded = pandera.DataFrameSchema({column: pandera.Column(checks=checks, nullable=True)})
        at = plain["_at"].to_pylist()
        bad |= {at[index] for index in _failures(as_pandas(plain.select([column])), bounded)}
    on_texts = []
    if rule.matches is not None:
        on_texts.append(pandera.Check.str_contains(rule.matches))
    if rule.values is not None:
        on_texts.append(pandera.Check.isin(rule.values))
    if on_texts:
        frame = pa.table({column: texts}).to_pandas()
        bad |= _failures(frame, pandera.DataFrameSchema({column: pandera.Column(checks=on_texts, nullable=True)}))
    return refused(reduction, column, counted.take(pa.array(sorted(bad), pa.int64())))
