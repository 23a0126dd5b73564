"""Which column, or which pair of columns, tells the rows of a table apart.

One column that is unique and never missing goes before any pair. Of several the one that is named like an id wins,
then the one that stands further left: what identifies a row mostly stands first.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from ontology_assets.drafting.names import snake
from ontology_assets.drafting.tables import SourceTable, usable_in_key
from transforms.column_pairs import Pair, PairValues

ID_WORDS = frozenset({"id", "key", "code", "uuid", "guid", "isbn", "issn", "sku", "iban", "number", "no", "nr", "num"})
HANGUL_ID_ENDINGS = ("번호", "코드", "아이디", "식별자")
MOST_IN_PAIRS = 12
"""Columns of which pairs are tried: 66 pairs."""


@dataclass(frozen=True)
class FoundKey:
    """`columns` is empty where nothing was found; `others` would do as well, best first. `checked` is the share of the
    values on which it was seen (1: all)."""

    columns: tuple[str, ...]
    others: tuple[tuple[str, ...], ...] = ()
    checked: float = 1.0


def single_key(table: SourceTable) -> FoundKey:
    """The best column that is unique and never missing."""
    unique = [name for name, column in table.profile.columns.items() if column.unique and usable_in_key(column)]
    unique.sort(key=lambda name: rank(table, name))
    if not unique:
        return FoundKey(())
    return FoundKey((unique[0],), tuple((name,) for name in unique[1:]), table.column(unique[0]).checked)


def pairs_to_try(table: SourceTable) -> list[Pair]:
    """Pairs that could tell the rows apart, by the numbers of their different values, best first."""
    usable = [name for name, one in table.profile.columns.items() if usable_in_key(one) and one.distinct.count > 1]
    usable = sorted(usable, key=lambda name: rank(table, name))[:MOST_IN_PAIRS]
    counts = {name: table.column(name).distinct.count for name in usable}
    order = {name: position for position, name in enumerate(table.profile.columns)}
    pairs = [
        tuple(sorted(pair, key=order.__getitem__))
        for pair in itertools.combinations(usable, 2)
        if 1.1 * counts[pair[0]] * counts[pair[1]] >= table.profile.rows  # estimates may be low
    ]
    place = {name: position for position, name in enumerate(usable)}
    pairs.sort(key=lambda pair: (max(place[one] for one in pair), min(place[one] for one in pair)))
    return [(left, right) for left, right in pairs]


def pair_key(measured: Mapping[Pair, PairValues]) -> FoundKey:
    """The first of the pairs (in the order in which they were tried) that is unique."""
    unique = [pair for pair, values in measured.items() if values.unique]
    if not unique:
        return FoundKey(())
    return FoundKey(unique[0], tuple(unique[1:]), measured[unique[0]].uniqueness.share)


def rank(table: SourceTable, name: str) -> tuple[int, int]:
    """How likely a column identifies: the class of its name (0 is best), then its place."""
    position = list(table.profile.columns).index(name)
    words = snake(name, empty="", prefix="n").split("_")
    named = words[-1] in ID_WORDS or words[0] in ("id", "uuid", "guid") or name.endswith(HANGUL_ID_ENDINGS)
    if named and (len(words) == 1 or "_".join(words[:-1]) in (table.noun, table.dataset)):
        return 0, position
    if named:
        return 1 if position else 0, position
    if position == 0:
        return 2, position
    return 3 if table.column(name).kind in ("string", "integer") else 4, position
