"""Metadata of materializations in Dagster's standard keys, so that the UI shows and plots them by itself."""

from collections.abc import Mapping, Sequence

import dagster as dg

TABLE_ROWS = 25
"""Rows of a Markdown table in metadata: enough to see, small enough to load in a list of runs."""


def column_schema(columns: Mapping[str, str], descriptions: Mapping[str, str] | None = None) -> dg.TableSchema:
    """`dagster/column_schema` of columns given as {name: type}; a trailing `?` becomes `nullable`."""
    texts = descriptions or {}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=type_name.removesuffix("?"),
                description=texts.get(name),
                constraints=dg.TableColumnConstraints(nullable=type_name.endswith("?")),
            )
            for name, type_name in columns.items()
        ]
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """A Markdown table of at most TABLE_ROWS rows; a last line says how many more there are."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows[:TABLE_ROWS]]
    if len(rows) > TABLE_ROWS:
        lines.append(f"\n… and {len(rows) - TABLE_ROWS:,} more")
    return dg.MetadataValue.md("\n".join(lines))


def sparkline(values: Sequence[float]) -> str:
    """Eight-level text plot of a series, at most 120 signs wide (neighbours averaged)."""
    if not values:
        return ""
    width = min(len(values), 120)
    means = [
        sum(values[i * len(values) // width : (i + 1) * len(values) // width])
        / max(1, (i + 1) * len(values) // width - i * len(values) // width)
        for i in range(width)
    ]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join("▁▂▃▄▅▆▇█"[min(7, int((value - low) / span * 8))] for value in means)


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
