"""A file as the draft sees it: its profile, and what its columns, its dataset and its object type will be called."""

from dataclasses import dataclass

from ontology_assets.drafting.names import property_names
from transforms.profile import ColumnProfile, TableProfile

USABLE_IN_KEY = ("string", "integer", "date", "timestamp")
LONGEST_KEY = 200
"""Bytes of a text that still is a name for a thing."""


@dataclass(frozen=True)
class SourceTable:
    """`original` is what the file is called where it came from (`stem`: without its ending), `file` what it is called
    in the sources.

    `noun` is one of its rows, in lower case with `_`; `type_name` is made of it, with the domain's name before it where
    another domain has that type (and so is `dataset`: `renamed`).
    """

    original: str
    stem: str
    file: str
    dataset: str
    noun: str
    type_name: str
    renamed: bool
    profile: TableProfile

    @property
    def names(self) -> dict[str, str]:
        """Column -> property."""
        return property_names(list(self.profile.columns))

    def column(self, name: str) -> ColumnProfile:
        return self.profile.columns[name]


def usable_in_key(column: ColumnProfile) -> bool:
    """Whether a column could be a part of a key at all: never missing, of a type with a key text, not a long text."""
    return not column.nullable and column.kind in USABLE_IN_KEY and column.uniform and 0 < column.longest <= LONGEST_KEY
