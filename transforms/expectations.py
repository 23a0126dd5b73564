"""Expectations: rules over a finished table, evaluated by Great Expectations on the table's distinct values and
counts.

The results are plain values (`CheckOutcome`); GX keeps nothing, writes nothing and sends nothing. It is imported when
the first rule is evaluated (`transforms.gx_import.warm_up` starts that early).
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import SpiceError
from resources.lake.base import PARTITION, Lake
from resources.spark import to_arrow
from transforms.check_tables import MAX_SAMPLES, ROWS, Keys, Reduction, as_pandas, text_values
from transforms.definitions import Expectation
from transforms.gx_import import great_expectations
from transforms.nodes.frame import reference
from transforms.outcomes import CheckName, CheckOutcome, expectation_names
from transforms.pipeline import PipelineTables

NUMERIC_ONLY = "its values are numbers"
OF = "_rows_of_node"
SUM = "_sum"


def evaluate_expectations(
    table: str,
    expectations: Sequence[Expectation],
    lake: Lake,
    partitions: Sequence[str] | None,
    *,
    pipeline: PipelineTables | None = None,
) -> list[CheckOutcome]:
    """The outcome of each expectation, in their order, over the named partitions (None = all; `[""]` = unpartitioned).

    `pipeline` gives the nodes that `conserves` counts.
    """
    if not expectations:
        return []
    reduction = Reduction(table, lake, partitions)
    for index, one in enumerate(expectations):
        _require(one, reduction, f"{table}: expectations[{index}]")
    reduction.read()
    judge = _Judge(reduction, pipeline)
    return [judge.outcome(one, name) for one, name in zip(expectations, expectation_names(expectations), strict=True)]


def _require(one: Expectation, reduction: Reduction, where: str) -> None:
    if one.rule == "conserves":
        reduction.want(one.sum or [], where)
        reduction.groups.discard(tuple(one.sum or []))
        reduction.sums.add(tuple(one.sum or []))
    elif one.rule == "row_count_between":
        if one.per is not None:
            reduction.want([one.per], where)
    else:
        reduction.want(one.columns or [one.column or ""], where)
    if one.rule == "values_between":
        kind = reduction.schema.field(one.column).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
            raise SpiceError("Rule does not fit", f"values_between needs numbers; {one.column} is {kind}.", where=where)


class _Judge:
    """Builds GX's expectation for a rule, has it evaluated, and puts its answer into our words."""

    def __init__(self, reduction: Reduction, pipeline: PipelineTables | None) -> None:
        self.reduction, self.pipeline = reduction, pipeline
        self.gx = great_expectations()
        context = self.gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
        self.definition = asset.add_batch_definition_whole_dataframe("whole")

    def outcome(self, one: Expectation, name: CheckName) -> CheckOutcome:
        rules = {
            "row_count_between": self.row_counts,
            "conserves": self.conserved,
            "unique": self.unique,
        }
        evaluate = rules.get(one.rule, self.values)
        passed, observed, failing, samples = evaluate(one)
        return CheckOutcome(name.name, passed, name.severity, name.expected, observed, failing, samples)

    def failing(self, table: pa.Table, expectation: Any) -> pa.Table:
        """The rows of a reduced table that GX calls unexpected."""
        batch = self.definition.get_batch(batch_parameters={"dataframe": as_pandas(table)})
        result = batch.validate(expectation, result_format="COMPLETE")
        if result.exception_info.get("raised_exception"):
            raise SpiceError(
                "Expectation can't be evaluated",
                f"{type(expectation).__name__} on {self.reduction.table}: {result.exception_info['exception_message']}",
                where=self.reduction.table,
            )
        if result.success:
            return table.slice(0, 0)
        return table.take(pa.array(sorted(result.result["unexpected_index_list"]), pa.int64()))

    def values(self, one: Expectation) -> tuple[bool, str, int, list[Any]]:
        column = one.column or ""
        counted = self.reduction.counted[(column,)]
        if one.rule in ("matches", "values_in"):
            counted = pa.table({column: text_values(counted[column]), ROWS: counted[ROWS]})
        bad = self.failing(counted, self.expectation(one, column))
        failing = pc.sum(bad[ROWS]).as_py() or 0
        if not failing:
            return True, f"{self.reduction.total:,} rows, {counted.num_rows:,} distinct values", 0, []
        values = bad[column]
        shown = ", ".join("(missing)" if value is None else str(value) for value in values.slice(0, 5).to_pylist())
        observed = f"{failing:,} of {self.reduction.total:,} rows: {shown}{', ...' if len(values) > 5 else ''}"
        return False, observed, failing, self.reduction.samples(column, values.slice(0, 100).combine_chunks())

    def expectation(self, one: Expectation, column: str) -> Any:
        core = self.gx.expectations
        if one.rule == "values_between":
            return core.ExpectColumnValuesToBeBetween(column=column, min_value=one.min, max_value=one.max)
        if one.rule == "not_null":
            return core.ExpectColumnValuesToNotBeNull(column=column)
        if one.rule == "matches":
            return core.ExpectColumnValuesToMatchRegex(column=column, regex=one.pattern)
        if one.rule == "values_in":
            return core.ExpectColumnValuesToBeInSet(column=column, value_set=one.values)
        raise SpiceError("Unknown rule", f"there is no rule {one.rule}.", where=self.reduction.table)

    def unique(self, one: Expectation) -> tuple[bool, str, int, list[Any]]:
        keys: Keys = tuple(one.columns or [])
        counted = self.reduction.counted[keys]
        bad = self.failing(counted, self.gx.expectations.ExpectColumnValuesToBeBetween(column=ROWS, max_value=1))
        failing = pc.sum(bad[ROWS]).as_py() or 0
        if not failing:
            return True, f"{counted.num_rows:,} different keys in {self.reduction.total:,} rows", 0, []
        return False, f"{bad.num_rows:,} keys are there more than once, in {failing:,} rows", failing, _some(bad)

    def row_counts(self, one: Expectation) -> tuple[bool, str, int, list[Any]]:
        if one.per is None:
            counted = pa.table({ROWS: pa.array([self.reduction.total], pa.int64())})
        else:
            counted = self.reduction.counted[(one.per,)]
        between = self.gx.expectations.ExpectColumnValuesToBeBetween(column=ROWS, min_value=one.min, max_value=one.max)
        bad = self.failing(counted, between)
        extremes = pc.min_max(counted[ROWS]).as_py() if counted.num_rows else {"min": 0, "max": 0}
        seen = f"{extremes['min']:,} to {extremes['max']:,} rows" if one.per else f"{self.reduction.total:,} rows"
        groups = f" in {counted.num_rows:,} values of {one.per}" if one.per else ""
        return bad.num_rows == 0, seen + groups, bad.num_rows, _some(bad)

    def conserved(self, one: Expectation) -> tuple[bool, str, int, list[Any]]:
        """Per partition, so that a loss here and a gain there don't cancel out."""
        summed = self.reduction.summed[tuple(one.sum or [])]
        total = pa.array([0] * summed.num_rows)
        for column in one.sum or []:
            total = pc.add(total, pc.fill_null(summed[column], 0))
        partitioned = PARTITION in summed.column_names
        counted = self.node_rows(one.of or "", partitioned=partitioned)
        keys = summed[PARTITION].to_pylist() if partitioned else [""]
        sums = dict(zip(keys, total.to_pylist(), strict=True))
        everything = sorted({*sums, *counted})
        table = pa.table(
            {
                PARTITION: pa.array(everything, pa.string()),
                SUM: pa.array([int(sums.get(key, 0)) for key in everything], pa.int64()),
                OF: pa.array([counted.get(key, 0) for key in everything], pa.int64()),
            }
        )
        same = self.gx.expectations.ExpectColumnPairValuesToBeEqual(column_A=SUM, column_B=OF, ignore_row_if="neither")
        bad = self.failing(table, same)
        observed = f"{sum(table[SUM].to_pylist()):,} against {sum(table[OF].to_pylist()):,} rows of {one.of}"
        if bad.num_rows:
            observed += f"; {bad.num_rows:,} partitions differ"
        return (
            bad.num_rows == 0,
            observed,
            bad.num_rows,
            _some(bad.rename_columns(["partition", "sum", f"rows of {one.of}"])),
        )

    def node_rows(self, node: str, *, partitioned: bool) -> dict[str, int]:
        """Rows of a node of the pipeline by partition, counted by the engine."""
        if self.pipeline is None:
            raise SpiceError(
                "No pipeline", f"conserves counts the rows of {node}; this table has no pipeline.", where=node
            )
        keys = self.reduction.partitions
        if keys is None:
            keys = list(self.reduction.lake.versions(self.reduction.table))
        data = self.pipeline.frames(keys)[node].data
        if not partitioned:
            return {"": data.count()}
        counted = to_arrow(data.groupBy(reference(PARTITION)).count())
        return dict(zip(counted[PARTITION].to_pylist(), counted["count"].to_pylist(), strict=True))


def _some(table: pa.Table) -> list[Any]:
    rows: list[Any] = table.slice(0, MAX_SAMPLES).to_pylist()
    return rows
