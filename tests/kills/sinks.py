"""The sinks of the followers that are killed: those that ship, on the little domain of the workload."""

import sqlite3
from typing import Any

from ontology_assets.events.log import EventLog
from ontology_assets.followers.sink import Sink
from ontology_assets.model.definitions import ObjectType
from ontology_assets.projections import sinks
from ontology_assets.projections.layouts import type_layout
from resources.home import Home
from resources.read_model.query import DomainLayout
from tests.kills.traps import Trap
from tests.simulator.domain import BOX, DOMAIN, LAYOUT, SHELF

SHELF_WITH_A_ROW = ObjectType.model_validate(
    {**SHELF.model_dump(mode="json"), "properties": {"id": {"type": "string"}, "row": {"type": "string?"}}}
)
CHANGED = DomainLayout(DOMAIN, (type_layout(BOX), type_layout(SHELF_WITH_A_ROW)))
"""After the ontology has changed: the model is built again from the log."""
CLOSE_EVENTS = 20
"""A model this near to the end gets its indexes. As shipped it is 10,000, more than the whole log of these tests."""
_POSITION = {
    "relay": ("topic.sqlite", "SELECT position FROM producers"),
    "search": ("read/search.sqlite", "SELECT position FROM state"),
    "rebuild": ("read/search.sqlite", f"SELECT position FROM state WHERE instr(fingerprint, '{CHANGED.fingerprint}')"),
    "graph": ("read/graph.sqlite", "SELECT position FROM state"),
}
_connect = sqlite3.Connection  # not the trapped one


def sink_of(home: Home, role: str, log: EventLog, trap: Trap) -> Sink:
    sinks.CLOSE_EVENTS = CLOSE_EVENTS
    sink: Any
    if role == "relay":
        from ontology_assets.followers.relay import Relay
        from resources.topic.sqlite import SqliteTopic

        sink = Relay(SqliteTopic(home.topic), DOMAIN)
    else:
        sink = _projection(home, role, log)
    claim = sink.claim

    def trapped_claim(epoch: int) -> None:
        claim(epoch)
        trap.reach("after claim")

    sink.claim = trapped_claim
    return sink  # type: ignore[no-any-return]


def _projection(home: Home, role: str, log: EventLog) -> Sink:
    from ontology_assets.projections.search import words_of
    from resources.read_model.sqlite_graph import GRAPH
    from resources.read_model.sqlite_search import SEARCH
    from resources.read_model.sqlite_writer import SqliteWriter

    layout = CHANGED if role == "rebuild" else LAYOUT
    name, options, words = ("graph", GRAPH, None) if role == "graph" else ("search", SEARCH, words_of)
    writer = SqliteWriter(home.read_models / f"{name}.sqlite", layout, options)
    return sinks.ProjectionSink(name, writer, layout, words, log)


def position_in(home: Home, role: str) -> int:
    """Where the sink stands, without the code under test and past its traps."""
    path, question = _POSITION[role]
    connection = _connect(home.root / path, timeout=10)
    try:
        found = connection.execute(question).fetchone()
    finally:
        connection.close()
    return int(found[0]) if found else 0
