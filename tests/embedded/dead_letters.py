"""Objects with events that do not fit, and the code mended: an upcaster makes a state that fits of one that says
`perhaps`.
"""

import json
from typing import Any

import pytest

from ontology_assets.events import opening
from ontology_assets.events.upcasting import Upcaster
from ontology_assets.projections.deadletters.letters import DeadLetter
from ontology_assets.projections.deadletters.skipping import Skipped, skip
from tests.contracts.library import Change, compact
from tests.contracts.library_log import LibraryHome


def author(properties: dict[str, Any] | None, key: str = "lem") -> Change:
    return ("Author", key, properties, None)


def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = tuple(Upcaster(kind, "1", "2", _without_perhaps) for kind in ("ObjectCreated", "ObjectUpdated"))
    monkeypatch.setattr(opening, "UPCASTERS", steps)


def give_up(library: LibraryHome, letter: DeadLetter, reason: str = "wrong") -> Skipped:
    """Skip the event that blocks; the home's own numbering goes on after it."""
    done = skip(library.log, library.heads, letter, reason, actor="kim")
    if not done.already:
        library.written.sequences[letter.type, letter.id] += 1
        library.written.position += 1
    return done


def expected_rows(library: LibraryHome, *, is_mended: bool) -> list[dict[str, Any]]:
    """The event that each object shows, worked out from the log without the product's fold: for `folded_digest`."""
    events = [row for batch in library.log.events() for row in batch.to_pylist()]
    histories: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        histories.setdefault(event["aggregate_id"], []).append({**event, "said": json.loads(event["data"])})
    shown = []
    for history in histories.values():
        void = {one["said"]["skips"]["sequence"] for one in history if "skips" in one["said"]}
        good: dict[str, Any] | None = None
        for event in history:
            if event["sequence_number"] in void:
                continue
            if "skips" in event["said"]:
                good = None if good is None else {**event, "said": good["said"]}
                continue
            properties = (event["said"]["state"] or {}).get("properties", {})
            if properties.get("name") == 7 or (properties.get("living") == "perhaps" and not is_mended):
                break
            good = event
        if good is not None:
            said = _without_perhaps(good["said"]) if is_mended else good["said"]
            shown.append({**good, "data": compact(said)})
    return sorted(shown, key=lambda one: int(one["position"]))


def _without_perhaps(data: dict[str, Any]) -> dict[str, Any]:
    if data["state"] is None:
        return data
    kept = {name: value for name, value in data["state"].get("properties", {}).items() if value != "perhaps"}
    return {**data, "state": {**data["state"], "properties": kept}}
