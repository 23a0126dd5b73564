"""Every wrong query document is refused with its place and what is allowed."""

from typing import Any

import pytest

from ontology_assets.queries.catalogue import Catalogue
from ontology_assets.queries.graph_document import read_graph
from ontology_assets.queries.refusal import QueryRefused
from ontology_assets.queries.search import read_search
from tests.contracts.library import LIBRARY

CATALOGUE = Catalogue([LIBRARY])
PROPERTIES = ["blurb", "edition", "genre", "isbn", "mass", "pages", "price", "published", "title", "weight"]
ORDERED = ["=", "!=", "<", "<=", ">", ">=", "in", "is_null"]


@pytest.mark.parametrize(
    ("document", "where", "allowed"),
    [
        (None, "document", ["type", "text", "where", "sort", "fields", "limit", "after"]),
        ([], "document", None),
        ({"tpye": "Book"}, "tpye", ["type", "text", "where", "sort", "fields", "limit", "after"]),
        ({"type": "Bok"}, "type", ["Author", "Book", "Shelf"]),
        ({"type": ["Book"]}, "type", ["Author", "Book", "Shelf"]),
        ({"where": [["pages", ">", 1]]}, "type", ["Author", "Book", "Shelf"]),
        ({"sort": [["pages", "asc"]]}, "type", ["Author", "Book", "Shelf"]),
        ({"type": "Book", "where": {}}, "where", None),
        ({"type": "Book", "where": {"pages": 1}}, "where", None),
        ({"type": "Book", "where": ["pages > 1"]}, "where[0]", ['["property", "operator", value]']),
        ({"type": "Book", "where": [["pgaes", ">", 1]]}, "where[0][0]", PROPERTIES),
        ({"type": "Book", "where": [["pages", ">", 1], [7, ">", 1]]}, "where[1][0]", PROPERTIES),
        ({"type": "Book", "where": [["pages", "=>", 1]]}, "where[0][1]", ORDERED),
        ({"type": "Book", "where": [["pages", [], 1]]}, "where[0][1]", ORDERED),
        ({"type": "Book", "where": [["pages", "within", 1]]}, "where[0][1]", ORDERED),
        ({"type": "Author", "where": [["home", "=", 1]]}, "where[0][1]", ["within", "is_null"]),
        ({"type": "Author", "where": [["living", "<", True]]}, "where[0][1]", ["=", "!=", "in", "is_null"]),
        ({"type": "Book", "where": [["pages", ">", "60"]]}, "where[0][2]", ["a whole number of 64 bits"]),
        ({"type": "Book", "where": [["pages", ">", 1.5]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["pages", ">", True]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["pages", ">", None]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["pages", ">", 2**63]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["pages", ">"]]}, "where[0]", None),
        ({"type": "Book", "where": [["pages", ">", 1, 2]]}, "where[0]", None),
        ({"type": "Book", "where": [["pages", "in", 1]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["pages", "in", [1, "2"]]]}, "where[0][2][1]", None),
        ({"type": "Book", "where": [["pages", "in", list(range(1001))]]}, "where[0][2]", ["up to 1000 entries"]),
        ({"type": "Book", "where": [["pages", "is_null", 1]]}, "where[0][2]", ["true", "false"]),
        ({"type": "Book", "where": [["title", "=", 1]]}, "where[0][2]", ["text"]),
        ({"type": "Book", "where": [["title", "=", "\ud800"]]}, "where[0][2]", ["text"]),
        ({"type": "Book", "where": [["genre", "=", "x"]]}, "where[0][2]", ["f", "n"]),
        ({"type": "Book", "where": [["genre", "=", []]]}, "where[0][2]", ["f", "n"]),
        ({"type": "Book", "where": [["price", "=", "cheap"]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["price", "=", "NaN"]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["price", "=", "1e999999999"]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["price", "=", "1e-999999999"]]}, None, None),
        ({"type": "Book", "where": [["weight", "=", "1"]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["weight", "=", 10**400]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["weight", "=", float("inf")]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["published", "=", "2013-01-01T11:00:00"]]}, "where[0][2]", None),
        ({"type": "Book", "where": [["published", "=", "0001-01-01T00:00:00+23:00"]]}, None, None),
        ({"type": "Book", "where": [["published", "=", "soon"]]}, "where[0][2]", None),
        ({"type": "Author", "where": [["born", "=", "1970-13-01"]]}, "where[0][2]", None),
        ({"type": "Author", "where": [["born", "=", "19700101"]]}, "where[0][2]", None),
        ({"type": "Author", "where": [["home", "within", 5]]}, "where[0][2]", ["lat", "lon", "km"]),
        ({"type": "Author", "where": [["home", "within"]]}, "where[0][2]", ["lat", "lon", "km"]),
        ({"type": "Author", "where": [["home", "within", {"lat": 1, "lon": 1}]]}, "where[0][2]", ["lat", "lon", "km"]),
        ({"type": "Author", "where": [["home", "within", {"lat": 91, "lon": 1, "km": 1}]]}, "where[0][2].lat", None),
        ({"type": "Author", "where": [["home", "within", {"lat": 1, "lon": 1, "km": "1"}]]}, "where[0][2].km", None),
        ({"type": "Book", "sort": ["pages"]}, "sort[0]", ['["property", "asc"]', '["property", "desc"]']),
        ({"type": "Book", "sort": [["pages", "down"]]}, "sort[0]", None),
        ({"type": "Book", "sort": [["pgaes", "asc"]]}, "sort[0][0]", PROPERTIES),
        ({"type": "Book", "sort": [["pages", "asc"], ["pages", "desc"]]}, "sort[1][0]", None),
        ({"type": "Author", "sort": [["home", "asc"]]}, "sort[0][0]", ["born", "code", "living", "name"]),
        ({"type": "Book", "fields": ["pgaes"]}, "fields[0]", [*PROPERTIES, "written_by", "sequel_of"]),
        ({"type": "Book", "fields": [["pages"]]}, "fields[0]", None),
        ({"type": "Book", "fields": "pages"}, "fields", None),
        ({"type": "Book", "limit": 0}, "limit", ["1 to 1000"]),
        ({"type": "Book", "limit": 1001}, "limit", ["1 to 1000"]),
        ({"type": "Book", "limit": True}, "limit", ["1 to 1000"]),
        ({"type": "Book", "limit": "50"}, "limit", ["1 to 1000"]),
        ({"text": 7}, "text", None),
        ({"text": "!?"}, "text", ["letters and digits"]),
        ({"text": "a" * 1001}, "text", ["up to 1000 characters"]),
        ({"text": "a b c d e f g h i j k l m n o p q r s t u v"}, "text", ["up to 20 words"]),
        ({"type": "Shelf", "text": "rose"}, "text", ["Author", "Book"]),
    ],
)
def test_a_wrong_search_says_where_and_what_is_allowed(document: Any, where: str | None, allowed: Any) -> None:
    if where is None:
        read_search(document, CATALOGUE)
        return
    with pytest.raises(QueryRefused) as refused:
        read_search(document, CATALOGUE)
    problem = refused.value.problem()
    assert problem["status"] == 400
    assert problem["where"] == where
    if allowed is not None:
        assert sorted(problem["allowed"]) == sorted(allowed)


START = {"type": "Book"}


@pytest.mark.parametrize(
    ("document", "where", "allowed"),
    [
        ({}, "document", ["start", "hops", "max_nodes", "max_edges"]),
        ({"start": {}}, "start", ["type", "id", "where", "fields"]),
        ({"start": "Book"}, "start", None),
        ({"start": {"type": "Bok"}}, "start.type", ["Author", "Book", "Shelf"]),
        ({"start": {"type": "Book", "where": [["pgaes", "=", 1]]}}, "start.where[0][0]", PROPERTIES),
        ({"start": {"type": "Book", "fields": ["written_by"]}}, "start.fields[0]", PROPERTIES),
        ({"start": START, "hops": {"link": "written_by"}}, "hops", None),
        ({"start": START, "hops": ["written_by"]}, "hops[0]", ["link", "where", "fields"]),
        ({"start": START, "hops": [{}]}, "hops[0]", ["link", "where", "fields"]),
        ({"start": START, "hops": [{"link": "books"}]}, "hops[0].link", ["written_by", "sequel_of", "sequels"]),
        ({"start": START, "hops": [{"link": ["x"]}]}, "hops[0].link", ["written_by", "sequel_of", "sequels"]),
        ({"start": {"type": "Shelf"}, "hops": [{"link": "x"}]}, "hops[0].link", []),
        (
            {"start": START, "hops": [{"link": "written_by"}, {"link": "books", "where": [["name", "=", "x"]]}]},
            "hops[1].where[0][0]",
            PROPERTIES,
        ),
        ({"start": START, "hops": [{"link": "written_by", "fields": ["pages"]}]}, "hops[0].fields[0]", None),
        ({"start": START, "hops": [{"link": "sequels"}] * 9}, "hops", ["up to 8 entries"]),
        ({"start": START, "max_nodes": 0}, "max_nodes", ["1 to 50000"]),
        ({"start": START, "max_edges": 10**7}, "max_edges", ["1 to 200000"]),
        ({"start": START, "depth": 3}, "depth", ["start", "hops", "max_nodes", "max_edges"]),
    ],
)
def test_a_wrong_graph_query_says_where_and_what_is_allowed(document: Any, where: str, allowed: Any) -> None:
    with pytest.raises(QueryRefused) as refused:
        read_graph(document, CATALOGUE)
    problem = refused.value.problem()
    assert problem["status"] == 400
    assert problem["where"] == where
    if allowed is not None:
        assert sorted(problem["allowed"]) == sorted(allowed)


def test_a_type_that_two_domains_have_is_refused_when_the_types_are_read() -> None:
    with pytest.raises(
        Exception, match=r"library: object_types\.Author.*type Author is in the domains archive and library"
    ):
        Catalogue([LIBRARY, LIBRARY.model_copy(update={"name": "archive"})])
