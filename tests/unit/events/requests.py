"""Requests for the group commit: set the value of one object, or of several at once."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ontology_assets.events.envelope import NewEvent
from ontology_assets.events.group import View
from tests.unit.events.making import event


@dataclass(frozen=True)
class Put:
    """Give objects of type Ship the value: one event each."""

    command_id: str
    keys: tuple[str, ...]
    value: Any = 0
    expected: int | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr((self.keys, self.value, self.expected)).encode()).hexdigest()

    @property
    def touches(self) -> Sequence[tuple[str, str]]:
        return [("Ship", key) for key in self.keys]

    def decide(self, view: View) -> Sequence[NewEvent]:
        if self.expected is not None:
            for kind, key in self.touches:
                view.expect(kind, key, self.expected)
        return [
            self._said(
                event(key, view.current("Ship", key).sequence + 1, self.value, event_id=f"{self.command_id}-{i}")
            )
            for i, key in enumerate(self.keys)
        ]

    def _said(self, made: NewEvent) -> NewEvent:
        return replace(made, command_id=self.command_id, metadata=json.dumps({"request": self.digest}))
