"""Which columns of one table hold keys of another (or of the same one): measured, not guessed.

A column leads to a table where nearly all of its different values are keys there. For whole numbers that is not enough:
1 to 10 are keys of everything that is numbered, so their column has to be named after the table or its key as well;
otherwise the link is only suggested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ontology_assets.drafting.keys import ID_WORDS, FoundKey
from ontology_assets.drafting.names import snake
from ontology_assets.drafting.tables import SourceTable
from transforms.column_pairs import Pair, PairValues

SHARE, SHARE_OF_NAMESAKES = 0.9, 0.5
"""Of a column's values that are keys elsewhere: from here on it is a link; it is worth a remark if it is named so."""
HANDFUL = 5
GENERIC = ID_WORDS - {"isbn", "issn", "iban", "sku"} | {"name", "title", "label", "type"}
"""Names of keys that many tables have, so that a column of the same name means nothing."""
Pairs = Mapping[str, Mapping[Pair, PairValues]]
"""Measured pairs of columns, by dataset."""


@dataclass(frozen=True)
class FoundLink:
    """`columns` of a dataset lead to the key of `target` (a dataset): `found` of `tried` different values do (all of
    them where `exact`, else a fair sample). `named` after the target; `as_text`: numbers here, texts there."""

    source: str
    columns: tuple[str, ...]
    target: str
    found: int
    tried: int
    exact: bool = True
    named: bool = False
    as_text: bool = False
    sure: bool = True

    @property
    def share(self) -> float:
        return self.found / self.tried


def find_links(tables: Sequence[SourceTable], keys: Mapping[str, FoundKey], pairs: Pairs) -> list[FoundLink]:
    """At most one sure link for each column or pair of columns, and what else is worth a remark."""
    candidates = [link for source in tables for link in _single(source, tables, keys)]
    candidates += [link for source in tables for link in _double(source, tables, keys, pairs)]
    order = {table.dataset: position for position, table in enumerate(tables)}
    candidates = [link for link in candidates if not _better_the_other_way(link, candidates, keys, order)]
    in_pairs = {(link.source, column) for link in candidates if len(link.columns) > 1 for column in link.columns}
    candidates = [
        link
        for link in candidates
        if not link.as_text
        or (link.columns[0] not in keys[link.source].columns and (link.source, link.columns[0]) not in in_pairs)
    ]  # a column that is a key, or is compared with one of numbers, can't become text
    taken: set[tuple[str, tuple[str, ...]]] = set()
    chosen = []
    for link in sorted(candidates, key=lambda one: (not one.sure, not one.named, -one.share, order[one.target])):
        place = (link.source, link.columns)
        chosen.append(link if place not in taken else replace(link, sure=False))
        taken |= {place} if link.sure else set()
    return sorted(chosen, key=lambda one: (order[one.source], not one.sure))


def pairs_to_measure(tables: Sequence[SourceTable], keys: Mapping[str, FoundKey]) -> dict[str, list[Pair]]:
    """By dataset: pairs of columns that are called like another table's key of two parts, and are of its types."""
    wanted: dict[str, list[Pair]] = {}
    for source in tables:
        for target in tables:
            pair = _namesakes(source, target, keys[target.dataset].columns)
            if pair is not None and pair not in wanted.get(source.dataset, []):
                wanted.setdefault(source.dataset, []).append(pair)
    return wanted


def _single(source: SourceTable, tables: Sequence[SourceTable], keys: Mapping[str, FoundKey]) -> list[FoundLink]:
    links = []
    for target in tables:
        key = keys[target.dataset].columns
        if len(key) != 1:
            continue
        wanted = target.column(key[0])
        for name, column in source.profile.columns.items():
            as_text = (column.kind, wanted.kind) == ("integer", "string")
            own = source.dataset == target.dataset and name == key[0]
            if own or (column.kind != wanted.kind and not as_text) or not column.uniform:
                continue
            found, tried = column.distinct.found_in(wanted.distinct)
            named = named_after(name, source, target, key[0])
            if not found or found < (SHARE_OF_NAMESAKES if named else SHARE) * tried:
                continue
            whole = column.distinct.exact and wanted.distinct.exact
            sure = found > 1 if named else found > HANDFUL and column.kind == "string"
            sure = sure and found >= SHARE * tried
            if sure or found > HANDFUL:
                links.append(
                    FoundLink(source.dataset, (name,), target.dataset, found, tried, whole, named, as_text, sure)
                )
    return links


def _double(
    source: SourceTable, tables: Sequence[SourceTable], keys: Mapping[str, FoundKey], pairs: Pairs
) -> list[FoundLink]:
    links = []
    for target in tables:
        key = keys[target.dataset].columns
        pair = _namesakes(source, target, key)
        if pair is None:
            continue
        mine, theirs = pairs[source.dataset][pair].distinct, pairs[target.dataset][(key[0], key[1])].distinct
        found, tried = mine.found_in(theirs)
        if tried and found >= SHARE * tried and found > 1:
            exact = mine.exact and theirs.exact
            links.append(FoundLink(source.dataset, pair, target.dataset, found, tried, exact, named=True))
    return links


def _namesakes(source: SourceTable, target: SourceTable, key: tuple[str, ...]) -> Pair | None:
    """The columns of the source that are called as the two parts of the target's key, in its order."""
    if len(key) != 2 or source.dataset == target.dataset:
        return None
    by_name = {name: column for column, name in source.names.items()}
    columns = [by_name.get(target.names[part]) for part in key]
    left, right = columns
    if left is None or right is None:
        return None
    kinds = [source.column(one).kind for one in (left, right)]
    return (left, right) if kinds == [target.column(part).kind for part in key] else None


def named_after(column: str, source: SourceTable, target: SourceTable, key: str) -> bool:
    """Whether a column is called like the target or like its key (`book_id`, `book`, `isbn`, `parent_book`)."""
    name = snake(column, empty="", prefix="n")
    own_key = target.names[key]
    if source.dataset != target.dataset and name == own_key and own_key not in GENERIC:
        return True
    words = name.split("_")
    kind = target.noun.split("_")
    parts = {tuple(words[i : i + len(kind)]) for i in range(len(words))}
    return tuple(kind) in parts


def _better_the_other_way(
    link: FoundLink, candidates: Sequence[FoundLink], keys: Mapping[str, FoundKey], order: Mapping[str, int]
) -> bool:
    """Two tables of the same things have the same keys: the link goes from the smaller to the larger, or from the
    later file to the earlier."""
    if keys[link.source].columns != link.columns:
        return False
    back = next(
        (
            one
            for one in candidates
            if (one.source, one.target) == (link.target, link.source) and one.columns == keys[one.source].columns
        ),
        None,
    )
    if back is None or link.source == link.target:
        return False
    return (back.share, order[back.source]) > (link.share, order[link.source])
