"""Great Expectations over reduced tables: which of their rows does an expectation refuse?

GX keeps nothing, writes nothing and sends nothing. It is imported when the first rule is evaluated
(`transforms.gx_import.warm_up` starts that early).
"""

import pyarrow as pa

from resources.errors import SpiceError
from transforms.check_tables import as_pandas
from transforms.gx_import import great_expectations


class GxTables:
    """One ephemeral context for all rules of one table."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.gx = great_expectations()
        context = self.gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
        self.definition = asset.add_batch_definition_whole_dataframe("whole")

    def refused(self, rows: pa.Table, kind: str, **arguments: object) -> pa.Table:
        """The rows that GX calls unexpected by the expectation of this name."""
        expectation = getattr(self.gx.expectations, kind)(**arguments)
        batch = self.definition.get_batch(batch_parameters={"dataframe": as_pandas(rows)})
        result = batch.validate(expectation, result_format="COMPLETE")
        if result.exception_info.get("raised_exception"):
            raise SpiceError(
                "Expectation can't be evaluated",
                f"{kind} on {self.table}: {result.exception_info['exception_message']}",
                where=self.table,
            )
        if result.success:
            return rows.slice(0, 0)
        return rows.take(pa.array(sorted(result.result["unexpected_index_list"]), pa.int64()))

    def outside(self, rows: pa.Table, column: str, low: float | None, high: float | None) -> pa.Table:
        """The rows whose `column` is a value below or above."""
        return self.refused(rows, "ExpectColumnValuesToBeBetween", column=column, min_value=low, max_value=high)
