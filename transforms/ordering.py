"""Entries of an order, as definitions write them: `mean`, `mean desc`, `mean desc nulls first`."""

import re
from collections.abc import Container
from dataclasses import dataclass

ENTRY = re.compile(
    r"(?P<column>.+?)(\s+(?P<way>asc|desc))?(\s+nulls\s+(?P<nulls>first|last))?", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Ordering:
    """One entry. Missing values come first, with `desc` last, unless it says otherwise."""

    column: str
    descending: bool = False
    nulls_first: bool = True

    @property
    def sql(self) -> str:
        """What follows the column in ORDER BY."""
        return f"{'DESC' if self.descending else 'ASC'} NULLS {'FIRST' if self.nulls_first else 'LAST'}"


def ordering(text: str, columns: Container[str] = ()) -> Ordering:
    """The meaning of an entry; a text that is a column's whole name is that column."""
    match = ENTRY.fullmatch(text.strip())
    if text in columns or match is None:
        return Ordering(text)
    descending = (match["way"] or "asc").lower() == "desc"
    nulls_first = match["nulls"].lower() == "first" if match["nulls"] else not descending
    return Ordering(match["column"], descending, nulls_first)
