"""Metadata of materializations in Dagster's standard keys, so that the UI shows and plots them by itself.

Which columns a table has and what they are for people is in `columns.py`.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from orchestration.progress import Stage

TABLE_ROWS = 25
"""Rows of a Markdown table in metadata: enough to see, small enough to load in a list of runs."""
PLOT_WIDTH = 24
"""Signs of a text plot: what stands in one line of a metadata table beside its figures on a narrow page."""


def lake_folder(table: str) -> str:
    """Where a table lies in the home: short, for a page on which a whole path would push all else aside."""
    return f"lake/{table}"


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


def sample_table(rows: Sequence[Mapping[str, object]]) -> dg.TableMetadataValue:
    """Sample rows of a check, with the columns of the first; the UI shows it at once, where Markdown needs a click."""
    columns = list(rows[0])
    records = [dg.TableRecord({name: _shown(row.get(name)) for name in columns}) for row in rows[:TABLE_ROWS]]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name) for name in columns]))


def _shown(value: object) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else "" if value is None else str(value)


def figures_table(figures: Mapping[str, Mapping[str, int]]) -> dg.MarkdownMetadataValue:
    """One row for each figure {figure: {partition: value}}: total, plot over the partitions, least, most.

    Total and name share a cell, so that the plot stands on a narrow page; the part of a name up to its first `_` is
    said by the asset (`objects_created` of objects).
    """
    partitions = list(next(iter(figures.values()), {})) or [""]
    return markdown_table(
        ["total", f"{partitions[0]} … {partitions[-1]}", "least", "most"],
        [
            [f"{sum(values.values()):,} {name.partition('_')[2] or name}", *_summary(values)]
            for name, values in figures.items()
        ],
    )


def _summary(values: Mapping[str, int]) -> list[object]:
    """Plot, least, most (with the first partition that has it); nothing of zeros."""
    if not any(values.values()):
        return ["", "", ""]
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    return [
        f"`{sparkline([*values.values()])}`",
        f"{values[low]:,} ({low})",
        f"{values[high]:,} ({high})",
    ]


def stages_table(stages: Sequence[Stage]) -> dg.MarkdownMetadataValue:
    """What a run did, stage by stage: rows, seconds, and where on the way through the run each stage lies."""
    total, begun, rows = sum(stage.seconds for stage in stages) or 1.0, 0.0, []
    for stage in stages:
        first, last = (int(PLOT_WIDTH * moment / total) for moment in (begun, begun + stage.seconds))
        bar = ("·" * first + "█" * max(1, last - first)).ljust(PLOT_WIDTH, "·")[:PLOT_WIDTH]
        rows.append([stage.name, stage.rows, f"{stage.seconds:.2f}", f"`{bar}`", stage.note])
        begun += stage.seconds
    return markdown_table(["stage", "rows", "seconds", "", ""], rows)


def sparkline(values: Sequence[float]) -> str:
    """Eight-level text plot of a series, at most PLOT_WIDTH signs wide (neighbours averaged)."""
    if not values:
        return ""
    width = min(len(values), PLOT_WIDTH)
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
