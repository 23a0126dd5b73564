"""What a pipeline says of how its rows become a table, and of computing only what changed (docs/incremental.md)."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from transforms.definition_base import Column, Definition, Name

if TYPE_CHECKING:
    from transforms.definitions import Pipeline

Mode = Literal["replace", "append", "merge", "snapshot", "changelog"]
MODES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "replace": ((), ()),
    "append": (("key",), ("duplicates", "order")),
    "merge": (("key", "order"), ("remove",)),
    "snapshot": (("key",), ("order", "remove")),
    "changelog": (("key",), ("order", "remove")),
}
"""Mode -> fields that it needs, fields that it may have."""
CHANGE, CHANGE_NUMBER = "change", "change_number"
CHANGE_COLUMNS = {CHANGE: "string", CHANGE_NUMBER: "integer"}
"""Columns that a changelog has beside those of the rows."""
WITHIN = r"^[1-9][0-9]{0,6}[mhd]$"


class Write(Definition):
    """What becomes of the rows that are in the table already."""

    mode: Mode = Field(
        description="`replace`: the table is the result. `append`: rows are added, never changed. `merge`: rows are "
        "added, those of a known key are updated. `snapshot`: one row for each key of the result, what is absent from "
        "it is removed. `changelog`: what is new, changed or gone is added as a change."
    )
    key: list[Column] | None = Field(default=None, min_length=1, description="Columns that identify a row.")
    order: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Of several rows of a key the first in this order counts: `column`, or `column desc`. Of equal "
        "ones one with `remove`, then all other columns decide, by name. Missing values come first, with `desc` last.",
    )
    remove: Column | None = Field(
        default=None, description="A boolean column: where the row that counts has true, its key is removed."
    )
    duplicates: Literal["refuse", "skip"] | None = Field(
        default=None,
        description="Of `append`: what is done with another row of a known key; `refuse` (default) ends the run, "
        "`skip` keeps the row that is there and needs `order`.",
    )


class Lateness(Definition):
    """How late a row may come, by a clock column of its input."""

    column: Column = Field(description="A date or timestamp column of the input.")
    within: str = Field(
        pattern=WITHIN,
        description="A row that is older than the newest one read before by more than this is late: a number and `m`, "
        "`h` or `d`.",
    )


class Incremental(Definition):
    """Compute only what changes of the inputs can have changed."""

    by: list[Column] = Field(
        min_length=1,
        description="Columns of the result: rows that differ in them have nothing to do with each other at any node, "
        "so those of the changed values are computed again, and no others.",
    )
    lateness: dict[Name, Lateness] = Field(
        default_factory=dict,
        description="Input -> how late its rows may come; later ones are put in `late/<pipeline>/<input>`. Rows of "
        "other inputs are never late.",
    )


def written_parts(pipeline: "Pipeline") -> dict[str, Definition]:
    """The parts of a pipeline that decide what becomes of its result; nothing where it replaces the table as a whole,
    so that the versions of such pipelines stay what they were."""
    parts: dict[str, Definition | None] = {"incremental": pipeline.incremental}
    if pipeline.write is not None and pipeline.write.mode != "replace":
        parts["write"] = pipeline.write
    return {name: one for name, one in parts.items() if one is not None}


def written_columns(pipeline: "Pipeline", columns: dict[str, str]) -> dict[str, str]:
    """The columns of the table, given those of the result."""
    return {**columns, **(CHANGE_COLUMNS if pipeline.write is not None and pipeline.write.mode == "changelog" else {})}
