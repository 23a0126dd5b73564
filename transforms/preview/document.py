"""A preview as one document: the sample, each node with its rows in and out, some rows of the node that was asked for,
and what became of the traced rows. JSON values only: it goes from the engine's process to a terminal or a page."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from resources.lake.base import PARTITION
from transforms.pipeline import PipelineTables
from transforms.preview.running import Ran, run_nodes, steps_to
from transforms.preview.sampling import Wanted, sample
from transforms.preview.tracing import plain, trace

SAMPLE_ROWS = 1_000


def preview(
    tables: PipelineTables,
    *,
    node: str | None = None,
    rows: int = 20,
    partition: str | None = None,
    sample_rows: int = SAMPLE_ROWS,
    wanted: Wanted = (),
) -> dict[str, Any]:
    """Run the nodes that `node` (default: the output) is made of on a sample; show `rows` of its rows."""
    begun = time.monotonic()
    asked = node or tables.pipeline.output
    chosen = sample(tables.pipeline, tables.lake, limit=sample_rows, partition=partition, wanted=wanted)
    ran = run_nodes(tables, chosen, asked)
    order = steps_to(tables, ran)
    return {
        "pipeline": tables.name,
        "node": asked,
        "sample": {
            "input": chosen.local,
            "table": chosen.table,
            "rows": chosen.rows.num_rows,
            "of": chosen.of,
            "partition": chosen.partition,
            "whole": chosen.whole,
        },
        "nodes": [_node(tables, name, ran) for name in order],
        "columns": [{"name": name, "type": kind} for name, kind in ran[asked].frame.columns.items()],
        "rows": _shown(ran[asked], rows),
        "trace": [asdict(one) for one in trace(tables, chosen, ran, order)] if wanted else None,
        "seconds": round(time.monotonic() - begun, 3),
    }


def _node(tables: PipelineTables, name: str, ran: Mapping[str, Ran]) -> dict[str, Any]:
    node = tables.nodes[name]
    return {
        "node": name,
        "operation": node.operation,
        "rows_in": {key: ran[key].count for _, key in node.reads()},
        "rows_out": ran[name].count,
        "sampled": ran[name].rows is not None,
    }


def _shown(ran: Ran, limit: int) -> list[list[Any]]:
    rows = ran.rows if ran.rows is not None else ran.frame.data.limit(limit).toArrow()
    shown: pa.Table = rows.slice(0, limit).select([name for name in rows.column_names if name != PARTITION])
    return [[plain(value) for value in row.values()] for row in shown.to_pylist()]
