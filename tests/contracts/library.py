"""A small domain worked out by hand, its events, and an independent fold of them. For the read model tests."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from ontology_assets.model.definitions import Domain

LIBRARY = Domain.model_validate(
    {
        "name": "library",
        "datasets": {},
        "mappings": {},
        "object_types": {
            "Author": {
                "name": "Author",
                "key": ["code"],
                "title": "name",
                "properties": {
                    "code": {"type": "string"},
                    "name": {"type": "string?", "search": "text"},
                    "born": {"type": "date?"},
                    "home": {"type": "geopoint?"},
                    "living": {"type": "boolean?"},
                },
            },
            "Book": {
                "name": "Book",
                "key": ["isbn", "edition"],
                "title": "title",
                "properties": {
                    "isbn": {"type": "string"},
                    "edition": {"type": "integer"},
                    "title": {"type": "string?", "search": "text"},
                    "blurb": {"type": "string?", "search": "text"},
                    "pages": {"type": "integer?"},
                    "price": {"type": "decimal(10,2)?"},
                    "mass": {"type": "decimal(30,6)?"},
                    "weight": {"type": "double?"},
                    "published": {"type": "timestamp?"},
                    "genre": {"type": "enum?", "values": {"f": "fiction", "n": "non-fiction"}},
                },
                "links": {
                    "written_by": {"to": "Author", "by": ["isbn"], "inverse": "books"},
                    "sequel_of": {"to": "Book", "by": ["isbn", "edition"], "inverse": "sequels"},
                },
            },
            "Shelf": {
                "name": "Shelf",
                "key": ["no"],
                "title": "no",
                "properties": {"no": {"type": "integer"}, "height": {"type": "integer?"}},
            },
        },
    }
)

COLUMNS = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_type", pa.string()),
        ("domain", pa.string()),
        ("branch", pa.string()),
        ("aggregate_type", pa.string()),
        ("aggregate_id", pa.string()),
        ("sequence_number", pa.int64()),
        ("data", pa.string()),
        ("position", pa.int64()),
        ("bucket", pa.string()),
    ]
)

Change = tuple[str, str, dict[str, Any] | None, dict[str, str] | None]
"""(type, id, properties or None for a deletion, links)."""


class Writer:
    """Numbers events as a log does: positions dense from 1, sequences per aggregate."""

    def __init__(self) -> None:
        self.position = 0
        self.sequences: dict[tuple[str, str], int] = {}
        self.live: set[tuple[str, str]] = set()

    def event(self, change: Change) -> dict[str, Any]:
        kind, key, properties, links = change
        self.position += 1
        sequence = self.sequences[kind, key] = self.sequences.get((kind, key), 0) + 1
        if properties is None:
            name, data = "ObjectDeleted", {"state": None}
            self.live.discard((kind, key))
        else:
            state = {"links": {n: [t] for n, t in (links or {}).items()}, "properties": properties}
            updated = (kind, key) in self.live
            name, data = "ObjectUpdated" if updated else "ObjectCreated", {"state": state}
            if updated:
                data["changed"] = ["state"]
            self.live.add((kind, key))
        return {
            "event_id": f"e{self.position}",
            "event_type": name,
            "domain": "library",
            "branch": "main",
            "aggregate_type": kind,
            "aggregate_id": key,
            "sequence_number": sequence,
            "data": compact(data),
            "position": self.position,
            "bucket": hashlib.sha256(key.encode()).hexdigest()[:2],
        }

    def batch(self, changes: Iterable[Change]) -> pa.RecordBatch:
        return as_batch([self.event(change) for change in changes])


def as_batch(events: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(events, schema=COLUMNS)


def compact(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def folded_digest(events: Iterable[dict[str, Any]], broken: frozenset[int] = frozenset()) -> str:
    """The digest of a log by the written rule (design 4.8), with nothing of the product's code.

    `broken`: positions of events that can't be applied; they and later ones of their objects count for nothing.
    """
    last: dict[tuple[str, str], dict[str, Any]] = {}
    parked: set[tuple[str, str]] = set()
    for event in events:
        key = event["aggregate_type"], event["aggregate_id"]
        if event["position"] in broken:
            parked.add(key)
        if key not in parked:
            last[key] = event
    buckets: dict[int, list[int]] = {}
    for (kind, key), event in last.items():
        state = json.loads(event["data"])["state"]
        text = "\n".join(
            ["library", "main", kind, key, str(event["position"]), "1" if state is None else "0", compact(state)]
        )
        hashed = hashlib.sha256(text.encode()).digest()
        row = buckets.setdefault(int(event["bucket"][0], 16), [0] * 5)
        row[0] += 1
        for lane in range(4):
            row[1 + lane] += int.from_bytes(hashed[4 * lane : 4 * lane + 4], "big")
    text = "".join(f"{bucket:x} {row[0]} {' '.join(map(str, row[1:]))}\n" for bucket, row in sorted(buckets.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


AUTHORS: list[Change] = [
    ("Author", "han", {"code": "han", "name": "한강", "born": "1970-11-27", "living": True}, None),
    (
        "Author",
        "eco",
        {
            "code": "eco",
            "name": "Umberto Éco",
            "born": "1932-01-05",
            "home": {"lat": 45.4642, "lon": 9.19},
            "living": False,
        },
        None,
    ),
    ("Author", "lem", {"code": "lem", "name": "Stanisław Lem", "home": {"lat": 50.0647, "lon": 19.945}}, None),
    ("Author", "anon", {"code": "anon"}, None),
]
BOOKS: list[Change] = [
    (
        "Book",
        "rose/1",
        {
            "isbn": "rose",
            "edition": 1,
            "title": "The Name of the Rose",
            "pages": 502,
            "price": "12.50",
            "weight": 0.5,
            "published": "1980-09-01T00:00:00.000000Z",
            "genre": "f",
        },
        {"written_by": "eco"},
    ),
    (
        "Book",
        "rose/2",
        {"isbn": "rose", "edition": 2, "title": "The Name of the Rose", "pages": 536, "price": "9.99", "genre": "f"},
        {"written_by": "eco", "sequel_of": "rose/1"},
    ),
    (
        "Book",
        "solaris/1",
        {
            "isbn": "solaris",
            "edition": 1,
            "title": "Solaris",
            "blurb": "An ocean that thinks; 생각하는 바다",
            "pages": 204,
            "price": "-1.00",
            "mass": "-123456789012345678901234.500000",
            "published": "1961-06-01T10:30:00.250000Z",
        },
        {"written_by": "lem"},
    ),
    (
        "Book",
        "veg/1",
        {"isbn": "veg", "edition": 1, "title": "채식주의자", "pages": 247, "mass": "0.000001", "genre": "n"},
        {"written_by": "han"},
    ),
    ("Book", "lost/1", {"isbn": "lost", "edition": 1, "title": "Lost", "price": "12.50"}, {"written_by": "nobody"}),
    ("Book", "plain/1", {"isbn": "plain", "edition": 1}, None),
]
