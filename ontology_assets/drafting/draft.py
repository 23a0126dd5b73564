"""The first definition of a domain as values: what each table becomes, and how the things are linked.

Every choice is one of `keys`, `titles` and `links`; here they get names that do not clash. How a draft is written is
in `ontology_assets.drafting.document`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ontology_assets.drafting.keys import ID_WORDS, FoundKey
from ontology_assets.drafting.links import FoundLink, Pairs, find_links
from ontology_assets.drafting.names import apart, plural
from ontology_assets.drafting.tables import SourceTable
from ontology_assets.drafting.titles import searched, title_of


@dataclass(frozen=True)
class DraftedLink:
    """A link with its names. `one_to_one` where the linking columns are the source's own key."""

    name: str
    inverse: str
    by: list[str]
    to: str
    cardinality: str
    evidence: FoundLink


@dataclass(frozen=True)
class DraftedType:
    """What a table becomes. Without a key it is no object type yet. `title` and `search` are columns."""

    table: SourceTable
    key: FoundKey
    title: str
    search: set[str]
    links: list[DraftedLink] = field(default_factory=list)
    remarks: list[tuple[str, FoundLink]] = field(default_factory=list)
    """Links that are possible and not drafted, each with the type that it would lead to."""
    as_text: set[str] = field(default_factory=set)
    """Columns of whole numbers that are declared text, because they link to keys that are."""

    def property_type(self, column: str) -> str:
        found = self.table.column(column)
        return f"string{'?' if found.nullable else ''}" if column in self.as_text else found.type


@dataclass(frozen=True)
class Draft:
    """A domain's tables with what they become; `ragged` counts rows that do not fit their header, by dataset."""

    domain: str
    types: list[DraftedType]
    ragged: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Dataset -> (rows, line of the first)."""


def draft(
    domain: str,
    tables: Sequence[SourceTable],
    keys: Mapping[str, FoundKey],
    pairs: Pairs,
    ragged: Mapping[str, tuple[int, int]],
) -> Draft:
    """The draft of tables whose keys were found."""
    found = find_links(tables, keys, pairs)
    type_names = {table.dataset: table.type_name for table in tables}
    sure = [link for link in found if link.sure]
    types = {}
    for table in tables:
        key = keys[table.dataset]
        mine = [link for link in found if link.source == table.dataset]
        title = title_of(table, key.columns)
        types[table.dataset] = DraftedType(
            table,
            key,
            title,
            searched(table, title),
            remarks=[(type_names[link.target], link) for link in mine if not link.sure],
            as_text={column for link in mine if link.sure and link.as_text for column in link.columns},
        )
    taken = {name: set(one.table.names.values()) for name, one in types.items()}
    names = {}
    for link in sure:
        name = _link_name(link, types, sure, taken[link.source])
        taken[link.source].add(name)
        names[link] = name
    for link in sure:
        inverse = _inverse_name(link, names[link], types, sure, taken[link.target])
        taken[link.target].add(inverse)
        table = types[link.source].table
        types[link.source].links.append(
            DraftedLink(
                names[link],
                inverse,
                [table.names[column] for column in link.columns],
                types[link.target].table.type_name,
                "one_to_one" if keys[link.source].columns == link.columns else "many_to_one",
                link,
            )
        )
    return Draft(domain, list(types.values()), ragged)


def _link_name(link: FoundLink, types: Mapping[str, DraftedType], links: Sequence[FoundLink], taken: set[str]) -> str:
    """`book_id` -> `book`; a column that is called as the link would be gives way to the target's name."""
    target = types[link.target].table.noun
    role = _role(types[link.source].table.names[link.columns[0]])
    alone = sum(1 for one in links if (one.source, one.target) == (link.source, link.target)) == 1
    choices = [role, target] if len(link.columns) == 1 else [target]
    choices = choices if alone else [role, f"{role}_{target}"]
    free = [name for name in choices if name not in taken]
    return free[0] if free else apart(f"to_{target}"[:63], taken)


def _inverse_name(
    link: FoundLink, name: str, types: Mapping[str, DraftedType], links: Sequence[FoundLink], taken: set[str]
) -> str:
    """`loans`; where several links lead from one type to another, `loans_by_borrower`."""
    words = types[link.source].table.noun.split("_")
    many = "_".join([*words[:-1], plural(words[-1])])
    alone = sum(1 for one in links if (one.source, one.target) == (link.source, link.target)) == 1
    choices = [many, f"{many}_by_{name}"] if alone else [f"{many}_by_{name}"]
    free = [one for one in choices if one not in taken and len(one) <= 63]
    return free[0] if free else apart(many[:63], taken)


def _role(name: str) -> str:
    """What a column is about, without the word that says it is an id."""
    words = name.split("_")
    return "_".join(words[:-1]) if len(words) > 1 and words[-1] in ID_WORDS else name
