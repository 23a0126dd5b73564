"""Expectations: rules over a finished table, evaluated by Great Expectations on the table's distinct values and
counts. The results are plain values (`Finding`), one per rule.

Rules that compare with another table are in `transforms.reference_rules`, with the past in `transforms.past_rules`,
with the clock in `transforms.age_rules`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.clock import Now
from resources.errors import SpiceError
from resources.lake.base import PARTITION, UNPARTITIONED
from resources.spark import to_arrow
from transforms.age_rules import freshness, require_time
from transforms.check_tables import ROWS, Culprits, Keys, Reduction, is_nan, is_numeric, text_values
from transforms.findings import Finding, not_there, refused, repeated, some
from transforms.gx_tables import GxTables
from transforms.nodes.frame import reference
from transforms.outcomes import CheckName, expectation_names
from transforms.past_rules import Past, distribution, volume
from transforms.pipeline import PipelineTables
from transforms.reference_rules import fk_exists
from transforms.rule_definitions import Expectation

OF = "_rows_of_node"
SUM = "_sum"


@dataclass(frozen=True)
class Surroundings:
    """What rules look at beside the table: its pipeline, its past, and the time."""

    past: Past
    now: Now
    timezone: str
    pipeline: PipelineTables | None = None


@dataclass(frozen=True)
class ExpectationRules:
    """Expectations over a reduction: `want` before it is read, `findings` after."""

    expectations: Sequence[Expectation]
    reduction: Reduction
    around: Surroundings

    def names(self) -> list[CheckName]:
        return expectation_names(self.expectations)

    def want(self) -> None:
        for index, one in enumerate(self.expectations):
            if not self.reduction.missing(columns_of(one)):
                _want(one, self.reduction, f"{self.reduction.table}: expectations[{index}]")

    def findings(self) -> list[Finding]:
        """The finding of each rule, in the order of the names."""
        judge = _Judge(self.reduction, self.around, GxTables(self.reduction.table))
        return [judge.finding(one) for one in self.expectations]


def columns_of(one: Expectation) -> list[str]:
    """The columns of its own table that a rule looks at."""
    single = [name for name in (one.column, one.per) if name is not None]
    return [*single, *(one.columns or []), *(one.sum or [])]


def _want(one: Expectation, reduction: Reduction, where: str) -> None:
    if one.rule == "values_between" or (one.rule == "distribution" and one.measure in ("mean", "quantiles")):
        _require_number(reduction, one.column or "", one, where)
    for column in one.sum or []:
        _require_number(reduction, column, one, where)
    if one.rule == "freshness" and one.column is not None:
        require_time(reduction, one.column, where)
    if one.rule == "conserves":
        reduction.sums.add(tuple(one.sum or []))
    elif one.rule == "distribution":
        reduction.want(reduction.by_partition(one.column or ""), where)
    elif columns := columns_of(one):
        reduction.want(columns, where)


def _require_number(reduction: Reduction, column: str, one: Expectation, where: str) -> None:
    kind = reduction.schema.field(column).type
    if not is_numeric(kind):
        name = f"{one.measure} of {one.rule}" if one.measure else one.rule
        raise SpiceError("Rule does not fit", f"{name} needs numbers; {column} is {kind}.", where=where)


@dataclass(frozen=True)
class _Judge:
    """Builds GX's expectation for a rule, has it evaluated, and puts its answer into our words."""

    reduction: Reduction
    around: Surroundings
    gx: GxTables

    def finding(self, one: Expectation) -> Finding:
        if gone := self.reduction.missing(columns_of(one)):
            return not_there(gone)
        rules: dict[str, Callable[[Expectation], Finding]] = {
            "row_count_between": self.row_counts,
            "volume": lambda rule: volume(rule, self.reduction, self.around.past, self.gx),
            "conserves": self.conserved,
            "not_null": self.not_null,
            "not_empty": self.not_empty,
            "unique": self.unique,
            "values_between": self.bounded,
            "matches": self.on_texts,
            "values_in": self.on_texts,
            "fk_exists": lambda rule: fk_exists(rule, self.reduction, self.gx),
            "freshness": lambda rule: freshness(
                rule, self.reduction, self.gx, now=self.around.now, timezone=self.around.timezone
            ),
            "distribution": lambda rule: distribution(rule, self.reduction, self.around.past, self.gx),
        }
        return rules[one.rule](one)

    def bounded(self, one: Expectation) -> Finding:
        """Missing values pass; NaN lies within no bounds."""
        column = one.column or ""
        counted = self.reduction.counted[column,]
        nan = is_nan(counted[column])
        outside = self.gx.outside(counted.filter(pc.invert(nan)), column, one.min, one.max)
        return refused(self.reduction, column, pa.concat_tables([counted.filter(nan), outside]))

    def not_null(self, one: Expectation) -> Finding:
        """NaN is a value."""
        column = one.column or ""
        counted = self.reduction.counted[column,]
        there = counted.filter(pc.invert(is_nan(counted[column])))
        bad = self.gx.refused(there, "ExpectColumnValuesToNotBeNull", column=column)
        return refused(self.reduction, column, bad)

    def not_empty(self, one: Expectation) -> Finding:
        column = one.column or ""
        counted = self.reduction.counted[column,]
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(text_values(counted[column])), ""), fill_value=True)
        told = counted.append_column("_blank", pc.cast(blank, pa.int64()))
        return refused(self.reduction, column, self.gx.outside(told, "_blank", 0, 0).select([column, ROWS]))

    def on_texts(self, one: Expectation) -> Finding:
        """Missing values pass."""
        column = one.column or ""
        counted = self.reduction.counted[column,]
        ordinals = pa.array(range(counted.num_rows), pa.int64())
        texts = pa.table({column: text_values(counted[column]), "_at": ordinals})
        if one.rule == "matches":
            bad = self.gx.refused(texts, "ExpectColumnValuesToMatchRegex", column=column, regex=one.pattern)
        else:
            bad = self.gx.refused(texts, "ExpectColumnValuesToBeInSet", column=column, value_set=one.values)
        return refused(self.reduction, column, counted.take(bad["_at"]))

    def unique(self, one: Expectation) -> Finding:
        keys: Keys = tuple(one.columns or [])
        return repeated(self.reduction, keys, self.gx.outside(self.reduction.counted[keys], ROWS, None, 1))

    def row_counts(self, one: Expectation) -> Finding:
        if one.per is None:
            counted = pa.table({ROWS: pa.array([self.reduction.total], pa.int64())})
        else:
            counted = self.reduction.counted[one.per,]
        bad = self.gx.outside(counted, ROWS, one.min, one.max)
        extremes = pc.min_max(counted[ROWS]).as_py() if counted.num_rows else {"min": 0, "max": 0}
        seen = f"{extremes['min']:,} to {extremes['max']:,} rows" if one.per else f"{self.reduction.total:,} rows"
        groups = f" in {counted.num_rows:,} values of {one.per}" if one.per else ""
        culprits = Culprits((one.per,), bad, show=False) if one.per and bad.num_rows else None
        return Finding(
            passed=bad.num_rows == 0,
            observed=seen + groups,
            failing=bad.num_rows,
            samples=some(bad),
            culprits=culprits,
        )

    def conserved(self, one: Expectation) -> Finding:
        """Per partition, so that a loss here and a gain there don't cancel out."""
        summed = self.reduction.summed[tuple(one.sum or [])]
        total = pa.array([0] * summed.num_rows)
        for column in one.sum or []:
            total = pc.add(total, pc.fill_null(summed[column], 0))
        counted = self.node_rows(one.of or "")
        keys = summed[PARTITION].to_pylist() if self.reduction.partitioned else [UNPARTITIONED]
        sums = dict(zip(keys, total.to_pylist(), strict=True))
        everything = sorted({*sums, *counted})
        table = pa.table(
            {
                PARTITION: pa.array(everything, pa.string()),
                SUM: pa.array([int(sums.get(key, 0)) for key in everything], pa.int64()),
                OF: pa.array([counted.get(key, 0) for key in everything], pa.int64()),
            }
        )
        bad = self.gx.refused(
            table, "ExpectColumnPairValuesToBeEqual", column_A=SUM, column_B=OF, ignore_row_if="neither"
        )
        observed = f"{sum(table[SUM].to_pylist()):,} against {sum(table[OF].to_pylist()):,} rows of {one.of}"
        if bad.num_rows:
            observed += f"; {bad.num_rows:,} partitions differ"
        return Finding(
            passed=bad.num_rows == 0,
            observed=observed,
            failing=bad.num_rows,
            samples=some(bad.rename_columns(["partition", "sum", f"rows of {one.of}"])),
            partitions=frozenset(bad[PARTITION].to_pylist()),
        )

    def node_rows(self, node: str) -> dict[str, int]:
        """Rows of a node of the pipeline by partition, counted by the engine."""
        pipeline = self.around.pipeline
        if pipeline is None:
            raise SpiceError(
                "No pipeline", f"conserves counts the rows of {node}; this table has no pipeline.", where=node
            )
        keys = self.reduction.partitions
        if keys is None:
            keys = list(self.reduction.lake.versions(self.reduction.table))
        data = pipeline.frames(keys)[node].data
        if not self.reduction.partitioned:
            return {UNPARTITIONED: data.count()}
        counted: Any = to_arrow(data.groupBy(reference(PARTITION)).count())
        return dict(zip(counted[PARTITION].to_pylist(), counted["count"].to_pylist(), strict=True))
