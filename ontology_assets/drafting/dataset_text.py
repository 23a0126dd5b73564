"""The entry of a dataset in a drafted `domain.yaml`: file, null markers, and a partition to switch on."""

import calendar
from datetime import date

from ontology_assets.drafting.draft import DraftedType
from ontology_assets.drafting.yaml_text import listed, remark, scalar
from transforms.profile import ColumnProfile

MOST_COLUMNS = 5
MOST_MARKERS = 3
MOST_DAYS = 3_000
ROWS_A_DAY = 500
"""From here on a partition by day is proposed; a day's run takes about a second, whatever is in it."""


def dataset_text(one: DraftedType, ragged: tuple[int, int]) -> list[str]:
    """The lines; `ragged` is how many rows do not fit the header, and the line of the first."""
    table, profile = one.table, one.table.profile
    lines = [f"  {table.dataset}:"]
    if table.original != table.file:
        lines += remark(4, f"The file was called {table.original}.")
    if table.renamed:
        lines += remark(4, "Another domain has the short name already: datasets and types are named once in a project.")
    if ragged[0]:
        what = "1 row has" if ragged[0] == 1 else f"{ragged[0]:,} rows have"
        lines += remark(
            4, f"{what} another number of fields than the header (the first: line {ragged[1]}), for the quarantine."
        )
    lines.append(f"    file: {scalar(table.file)}  # {profile.rows:,} rows, {len(profile.columns)} columns")
    lines += _nulls(one)
    if one.as_text:
        lines += remark(4, "Whole numbers here, but texts in the key that they lead to.")
        declared = [f"{scalar(name)}: {one.property_type(name)}" for name in profile.columns if name in one.as_text]
        lines.append(f"    types: {{{', '.join(declared)}}}")
    return lines + _partition(one)


def _nulls(one: DraftedType) -> list[str]:
    """The texts that mean "no value", with where they stand, and others that may."""
    profile, lines = one.table.profile, []
    for marker in profile.nulls[1:]:
        holders = [column for column in profile.columns.values() if marker in column.markers]
        typed = [column for column in holders if column.kind != "string"]
        texts = [column for column in holders if column.kind == "string"]
        lines += remark(4, f"{scalar(marker)} means no value: {_rows(marker, typed)}, where all else is of one type.")
        if texts:
            lines += remark(
                4,
                f"It means no value in texts too: {_rows(marker, texts)}. Is it a code there, rename it in the file.",
            )
    if profile.nulls != [""]:
        lines.append(f"    nulls: {listed(profile.nulls)}")
    unsure = {
        marker: column
        for column in profile.columns.values()
        for marker in column.markers
        if marker not in profile.nulls
    }
    for marker, column in list(unsure.items())[:MOST_MARKERS]:
        nulls, types = listed([*profile.nulls, marker]), f"{{{scalar(column.name)}: {column.kind}?}}"
        lines += remark(
            4,
            f"Does {scalar(marker)} mean no value ({_rows(marker, [column])})? Then write `nulls: {nulls}`, "
            f"`types: {types}`, and the property's type with ? too.",
        )
    return lines


def _rows(marker: str, columns: list[ColumnProfile]) -> str:
    said = [f"{column.markers[marker]:,} in `{column.name}`" for column in columns[:MOST_COLUMNS]]
    more = f" and {len(columns) - MOST_COLUMNS} more columns" if len(columns) > MOST_COLUMNS else ""
    return ", ".join(said) + more


def _partition(one: DraftedType) -> list[str]:
    """A suggestion, where rows have days: whether files come day by day is the user's to say."""
    column = moment_of(one)
    if column is None or column.days is None or column.days[0] < "0001":
        return []
    first, last = (date.fromisoformat(day) for day in column.days)
    days = (last - first).days + 1
    by = "day" if days <= MOST_DAYS and one.table.profile.rows >= ROWS_A_DAY * days else "month"
    if by == "month":
        first, last = first.replace(day=1), last.replace(day=calendar.monthrange(last.year, last.month)[1])
    partitions = days if by == "day" else (last.year - first.year) * 12 + last.month - first.month + 1
    if partitions > one.table.profile.rows:
        return []  # then the days tell about things, not when the rows came
    of = scalar(f"to_date(`{column.name}`)")
    return [
        *remark(
            4,
            f"`{column.name}` goes from {column.days[0]} to {column.days[1]}. To load and re-run by {by}, uncomment "
            "the two lines and set the end. All partitioned datasets of a domain have the same start and end.",
        ),
        f"    # partition: {{by: {by}, of: {of}, start: {first}, end: {last}}}",
        "    # replace: partition",
    ]


def moment_of(one: DraftedType) -> ColumnProfile | None:
    """The first column of days or times that no row lacks."""
    return next((c for c in one.table.profile.columns.values() if c.days is not None and not c.nullable), None)
