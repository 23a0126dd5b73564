"""What the explorer's tests share: the gateway served from a thread, and a small home made by hand.

The home's values are the awkward ones: markup, a whole number beyond 2^53, signs of every kind in a key, objects that
were changed, deleted, or never there. Every event is written here, so what a page must say is known.
"""

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from gateway.http.app import create_app
from gateway.main_job import follow_all
from gateway.readers import open_readers
from ontology_assets.events.envelope import Draft, NewEvent
from ontology_assets.model.definitions import Domain
from resources.home import Home

MARKUP = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>&amp;"
BIG = 9_007_199_254_740_993
"""2^53 + 1: JavaScript's own numbers make 9007199254740992 of it."""
STRANGE = "a/b c?#%41'()!*;\n가"
STRANGE_ID = "a%2Fb%20c%3F%23%2541%27%28%29%21%2A%3B%0A%EA%B0%80"

ATELIER = Domain.model_validate(
    {
        "name": "atelier",
        "datasets": {},
        "mappings": {},
        "object_types": {
            "Painter": {
                "name": "Painter",
                "key": ["code"],
                "title": "name",
                "label": {"en": "Painter <b>bold</b>", "ko": "화가"},
                "properties": {
                    "code": {"type": "string", "label": {"en": "Code", "ko": "코드"}},
                    "name": {"type": "string", "search": "text", "label": {"en": "Name"}},
                    "visits": {"type": "integer?", "label": {"en": "Visits", "ko": "방문"}},
                    "born": {"type": "date?"},
                    "living": {"type": "boolean?", "label": {"en": "Living"}},
                    "school": {"type": "enum?", "values": {"b": "Baroque", "m": "Modern"}, "label": {"en": "School"}},
                    "home": {"type": "geopoint?", "label": {"en": "Home"}},
                    "height": {"type": "double?", "unit": "m", "label": {"en": "Height"}},
                },
            },
            "Painting": {
                "name": "Painting",
                "key": ["painter", "number"],
                "title": "title",
                "label": {"en": "Painting", "ko": "그림"},
                "properties": {
                    "painter": {"type": "string"},
                    "number": {"type": "integer"},
                    "title": {"type": "string", "search": "text", "label": {"en": "Title", "ko": "제목"}},
                    "price": {"type": "decimal(10,2)?", "unit": "EUR", "label": {"en": "Price", "ko": "가격"}},
                },
                "links": {
                    "painted_by": {
                        "to": "Painter",
                        "by": ["painter"],
                        "inverse": "works",
                        "label": {"en": "painted by", "ko": "작가"},
                        "inverse_label": {"en": "works", "ko": "작품"},
                    }
                },
            },
            "Frame": {"name": "Frame", "key": ["no"], "title": "no", "properties": {"no": {"type": "integer"}}},
        },
    }
)


def painting(painter: str, number: int, title: str, price: str | None = None) -> dict[str, Any]:
    properties = {"painter": painter, "number": number, "title": title, "price": price}
    return {
        "properties": {name: value for name, value in properties.items() if value is not None},
        "links": {"painted_by": [STRANGE_ID if painter == STRANGE else painter]},
    }


def painter(code: str, name: str, **more: Any) -> dict[str, Any]:
    return {"properties": {"code": code, "name": name, **more}, "links": {}}


RUN = "0f0f0f0f-1111-2222-3333-444444444444"
HOME_EVENTS: Sequence[tuple[str, str, dict[str, Any] | None]] = (
    ("Painter", "vermeer", painter("vermeer", "Johannes Vermeer", born="1632-10-31", living=False, school="b")),
    ("Painter", "evil", painter("evil", MARKUP, visits=BIG, home={"lat": 52.01, "lon": 4.36}, height=1.5)),
    ("Painter", STRANGE_ID, painter(STRANGE, "Strange key")),
    ("Painting", "vermeer/1", painting("vermeer", 1, "The Milkmaid", "100.00")),
    ("Painting", "evil/7", painting("evil", 7, "<b>Not bold</b>", "0.50")),
    ("Painting", "nobody/3", painting("nobody", 3, "By nobody known")),
    ("Painting", f"{STRANGE_ID}/2", painting(STRANGE, 2, "Strange too")),
    ("Painting", "vermeer/9", painting("vermeer", 9, "A fake")),
    ("Painting", "vermeer/1", painting("vermeer", 1, "The Milkmaid", "120.00")),
    ("Painting", "vermeer/1", painting("vermeer", 1, "Het melkmeisje", "120.00")),
    ("Painting", "vermeer/9", None),
)
"""Type, id and new state (None: deleted), in order: each is the event at its place in the list, from 1."""


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def events_of(states: Sequence[tuple[str, str, Mapping[str, Any] | None]]) -> Iterator[NewEvent]:
    seen: dict[tuple[str, str], int] = {}
    for type_name, object_id, state in states:
        sequence = seen.get((type_name, object_id), 0) + 1
        seen[type_name, object_id] = sequence
        kind = "ObjectDeleted" if state is None else "ObjectCreated" if sequence == 1 else "ObjectUpdated"
        yield NewEvent(
            event_id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{type_name}/{object_id}/{sequence}")),
            event_type=kind,
            aggregate_type=type_name,
            aggregate_id=object_id,
            sequence_number=sequence,
            data=canonical({"state": state}),
            state_hash=hashlib.sha256(canonical(state).encode()).hexdigest(),
            metadata=canonical({"run_id": RUN, "asset": "ontology/objects", "source_file": "works.csv", "line": 7}),
        )


def make_home(folder: Path) -> Home:
    """A home with the events above, and read models at the end of its log."""
    home = Home(folder)
    with open_readers(home, [ATELIER]) as readers:
        # One record each: a batch may hold an aggregate once only.
        for event in events_of(HOME_EVENTS):
            draft = Draft(str(uuid.uuid4()), inline=[event])
            readers.log("atelier").append(readers.heads("atelier"), lambda _, draft=draft: draft)
        follow_all(readers, ATELIER, say=lambda _: None)
    return home


@contextmanager
def served(home: Home, domains: Sequence[Domain]) -> Iterator[str]:
    """The gateway over a home, in a thread of this process; gives its root address."""
    server = uvicorn.Server(uvicorn.Config(create_app(home, domains), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, name="gateway")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise AssertionError("the gateway did not start")
            thread.join(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
