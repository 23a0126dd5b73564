"""What a materialization says of a pipeline that is incremental, or that says how its result is written."""

from typing import Any

from orchestration.components.metadata import markdown_table
from transforms.incremental.run import RunReport


def write_metadata(run: RunReport | None) -> dict[str, Any]:
    """What was computed again and why, what that changed, and how far each input was taken in."""
    if run is None:
        return {}
    written = run.written
    marks = [
        [local, one.table, one.number, one.rows, one.latest or "", run.late.get(local, 0)]
        for local, one in run.watermarks.items()
    ]
    arrived = {} if run.arrived is None else {"rows_arrived": run.arrived, "rows_left": run.left}
    return {
        "computed": run.scope,
        **arrived,
        "rows_new": written.new,
        "rows_changed": written.updated,
        "rows_removed": written.removed,
        "rows_late": sum(run.late.values()),
        "watermarks": markdown_table(["input", "table", "commit", "rows", "up to", "late"], marks),
    }
