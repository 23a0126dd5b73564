"""Search: a document with type, words, typed conditions, sort and page -> objects, how many there are, the next page.

Without `sort` objects come oldest first (by the position of their first event), types by name. Ties of a sort come
oldest first, newest first if its last property descends. Absent values come last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from ontology_assets.projections.search import query_words
from ontology_assets.queries.catalogue import Catalogue, KnownType
from ontology_assets.queries.conditions import read_conditions, read_field
from ontology_assets.queries.objects import Answer, Document, Fields, renderer
from ontology_assets.queries.paging import query_fingerprint, read_token, token_type, write_token
from ontology_assets.queries.refusal import QueryRefused, read_count, read_list, read_object, read_text, shown
from resources.read_model.base import NothingYet, NotReady, SearchModel, Snapshot
from resources.read_model.query import After, Condition, Kind, Order, Row, Selection, Word
from resources.read_model.time_limit import TimeLimit

MEMBERS = ("type", "text", "where", "sort", "fields", "limit", "after")
DEFAULT_LIMIT, MAX_LIMIT = 50, 1_000
MAX_TEXT, MAX_WORDS, MAX_SORT, MAX_FIELDS = 1_000, 20, 8, 1_000


@dataclass(frozen=True)
class Search:
    """A checked search. `types`: one, or all that can be searched."""

    types: tuple[KnownType, ...]
    words: tuple[Word, ...]
    where: tuple[Condition, ...]
    sort: tuple[Order, ...]
    fields: Fields
    limit: int
    after: str | None
    fingerprint: str

    def selection(self, known: KnownType, after: After | None, limit: int) -> Selection:
        return Selection(known.layout, self.words, self.where, self.sort, after, limit)


def read_search(document: Any, catalogue: Catalogue) -> Search:
    """Check a search document. Raises QueryRefused."""
    given = read_object(document, "", MEMBERS)
    known = None if given.get("type") is None else catalogue.named(given["type"], "type")
    if known is None:
        for member in ("where", "sort", "fields"):
            if given.get(member) not in (None, []):
                raise QueryRefused(
                    f"'{member}' names properties, so a type is needed", where="type", allowed=sorted(catalogue.types)
                )
    words = _words(given.get("text"))
    types = [catalogue.types[name] for name in sorted(catalogue.types)] if known is None else [known]
    if words:
        types = [t for t in types if t.layout.has_words]
        if not types:
            raise QueryRefused(
                "no property is searched by words; use 'where', or `search: text` in the definition",
                where="text",
                allowed=sorted(name for name, t in catalogue.types.items() if t.layout.has_words),
            )
    where: tuple[Condition, ...] = ()
    sort: tuple[Order, ...] = ()
    fields: Fields = None
    if known is not None:
        where = read_conditions(given.get("where"), "where", known.layout)
        sort = _sort(given.get("sort"), known)
        fields = read_fields(given.get("fields"), "fields", known, links=True)
    limit = read_count(given["limit"], "limit", MAX_LIMIT) if given.get("limit") is not None else DEFAULT_LIMIT
    fingerprint = query_fingerprint([given.get(member) or None for member in ("type", "text", "where", "sort")])
    return Search(tuple(types), words, where, sort, fields, limit, given.get("after"), fingerprint)


@dataclass
class _Pages:
    """What one search has found so far, type by type."""

    query: Search
    began: str | None
    found: list[Document] = dataclass_field(default_factory=list)
    total: int = 0
    position: int = 0
    generation: str = ""
    following: str | None = None

    def read(self, known: KnownType, snapshot: Snapshot, limit: TimeLimit | None) -> None:
        """One type's part: counted always, listed from where the page begins until it is full."""
        query = self.query
        _check_words(query, known, snapshot)
        if self.following is not None or (self.began is not None and known.name != self.began):
            self.total += snapshot.count(query.selection(known, None, 0))
            return
        after = None if self.began is None else read_token(query.after, query.fingerprint, snapshot.state)
        self.began = None
        room = query.limit - len(self.found)
        rows = snapshot.select(query.selection(known, after, room + 1))
        self.total += snapshot.count(query.selection(known, None, 0))
        if limit is not None:
            limit.check()
        rendered = renderer(known.layout)
        self.found += [rendered.object(row, query.fields) for row in rows[:room]]
        if len(rows) > room:
            # A page that ends with a type's last object goes on at the beginning of the next type.
            last = _after(rows[room - 1], query) if room else After((), 0)
            self.following = write_token(last, known.name, query.fingerprint, snapshot.state)


def run_search(
    query: Search,
    model: SearchModel,
    limit: TimeLimit | None = None,
    begun: Callable[[str], bool] = lambda _domain: True,
) -> Answer:
    """Each type in one read transaction; those of a domain stand one after the other. Raises NotReady, TooSlow.

    `begun`: whether the domain's log has events. One without is left out of a search over all types: it is not behind.
    """
    began = None if query.after is None else token_type(query.after)
    if began is not None and all(t.name != began for t in query.types):
        raise QueryRefused("the page belongs to another query", where="after")
    pages = _Pages(query, began)
    missing: NothingYet | None = None
    domains = dict.fromkeys(known.domain.domain for known in query.types)
    for domain in domains:
        try:
            with model.snapshot(domain, limit) as snapshot:
                pages.position += snapshot.state.position
                pages.generation += snapshot.state.generation
                for known in query.types:
                    if known.domain.domain == domain:
                        pages.read(known, snapshot, limit)
        except NothingYet as fault:
            if len(domains) == 1 or begun(domain):
                raise
            missing = fault
    if missing is not None and not pages.generation:
        raise missing
    document: Document = {"objects": pages.found, "total": pages.total}
    if pages.following is not None:
        document["after"] = pages.following
    return Answer(document, pages.position, pages.generation)


def read_fields(value: Any, where: str, known: KnownType, *, links: bool) -> Fields:
    """The names of properties (and links) to answer with; None means all."""
    if value is None:
        return None
    allowed = [f.name for f in known.layout.fields] + ([link.name for link in known.layout.links] if links else [])
    for k, name in enumerate(read_list(value, where, MAX_FIELDS)):
        if name not in allowed:
            raise QueryRefused(f"{known.name} has no field {shown(name)}", where=f"{where}[{k}]", allowed=allowed)
    return frozenset(value)


def _words(value: Any) -> tuple[Word, ...]:
    if value is None:
        return ()
    words = query_words(read_text(value, "text", MAX_TEXT))
    if not words and value.strip():
        raise QueryRefused(f"{shown(value)} holds no word", where="text", allowed=["letters and digits"])
    if len(words) > MAX_WORDS:
        raise QueryRefused(f"{len(words)} words are too many", where="text", allowed=[f"up to {MAX_WORDS} words"])
    return words


def _sort(value: Any, known: KnownType) -> tuple[Order, ...]:
    orders: list[Order] = []
    if value is None:
        return ()
    for k, entry in enumerate(read_list(value, "sort", MAX_SORT)):
        place = f"sort[{k}]"
        if not isinstance(entry, list) or len(entry) != 2 or entry[1] not in ("asc", "desc"):
            raise QueryRefused(
                f"{shown(entry)} is no order", where=place, allowed=['["property", "asc"]', '["property", "desc"]']
            )
        field = read_field(entry[0], f"{place}[0]", known.layout)
        if field.kind is Kind.GEOPOINT or any(o.field == field for o in orders):
            sortable = [f.name for f in known.layout.fields if f.kind is not Kind.GEOPOINT]
            reason = "has no order" if field.kind is Kind.GEOPOINT else "stands there twice"
            raise QueryRefused(f"{field.name} {reason}", where=f"{place}[0]", allowed=sortable)
        orders.append(Order(field, entry[1] == "desc"))
    return tuple(orders)


def _check_words(query: Search, known: KnownType, snapshot: Snapshot) -> None:
    if query.words and not snapshot.ready_for_words(known.layout):
        raise NotReady(
            f"the search model is at event {snapshot.state.position} of its first load, words come last; ask again.",
            known.name,
        )


def _after(row: Row, query: Search) -> After:
    starts, at = {}, 0
    for field in row.type.fields:
        starts[field.name] = at
        at += field.cells
    return After(tuple(row.cells[starts[order.field.name]] for order in query.sort), row.born)
