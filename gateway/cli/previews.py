"""How a preview looks on a terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDE = 160
"""Columns of a terminal that is none (a pipe, a page's test)."""


def show(document: dict[str, Any]) -> None:
    """Sample, nodes, rows and trace, each as a table."""
    console = Console(width=None if Console().is_terminal else WIDE, highlight=False)
    sample = document["sample"]
    of = f"partition {sample['partition']} of {sample['table']}" if sample["partition"] else sample["table"]
    rows = f"all {sample['of']:,} rows" if sample["whole"] else f"{sample['rows']:,} of {sample['of']:,} rows"
    console.print(f"{document['pipeline']} on {rows} of {escape(of)}, {document['seconds']:.2f} s")
    console.print(_nodes(document))
    if document["rows"]:
        console.print(_rows(document))
    if document["trace"] is not None:
        console.print(_trace(document))


def _nodes(document: dict[str, Any]) -> Table:
    table = Table("node", "operation", "rows in", title="rows through the nodes", title_justify="left")
    table.add_column("rows out", justify="right")
    for one in document["nodes"]:
        came = ", ".join(f"{name} {_count(count)}" for name, count in one["rows_in"].items())
        table.add_row(one["node"], one["operation"], came, _count(one["rows_out"]))
    return table


def _rows(document: dict[str, Any]) -> Table:
    title = f"{document['node']}: {len(document['rows']):,} rows"
    table = Table(*(column["name"] for column in document["columns"]), title=title, title_justify="left")
    for row in document["rows"]:
        table.add_row(*(_cell(value) for value in row))
    return table


def _trace(document: dict[str, Any]) -> Table:
    table = Table("node", "operation", title="what became of the traced rows", title_justify="left")
    for name in ("in", "out"):
        table.add_column(name, justify="right")
    table.add_column("why")
    for one in document["trace"]:
        why = escape(one["why"] or "")
        table.add_row(
            one["node"], one["operation"], f"{one['rows_in']:,}", f"{one['rows_out']:,}",
            f"DROPPED: {why}" if one["rows_in"] and not one["rows_out"] else why,
        )  # fmt: skip
    return table


def _count(count: int | None) -> str:
    return "many" if count is None else f"{count:,}"


def _cell(value: Any) -> str:
    return "" if value is None else escape(str(value))
