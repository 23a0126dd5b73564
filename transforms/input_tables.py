"""What a pipeline reads: the columns and the rows of its inputs' tables."""

from resources.lake.base import UNPARTITIONED, Lake
from transforms.csv_source import RESERVED
from transforms.definitions import Pipeline
from transforms.types import type_of_arrow


def table_types(lake: Lake, table: str) -> dict[str, str]:
    """Columns of a table and their types, without our own; any may be absent, as far as the table itself knows."""
    return {
        column.name: type_of_arrow(column.type, nullable=True).text
        for column in lake.schema(table)
        if column.name not in RESERVED
    }


def rows_of_inputs(pipeline: Pipeline, lake: Lake) -> dict[str, int]:
    """Rows of the followed input by partition, or of all inputs together."""
    if pipeline.partition is not None:
        return lake.rows(pipeline.inputs[pipeline.partition])
    return {UNPARTITIONED: sum(sum(lake.rows(table).values()) for table in pipeline.inputs.values())}
