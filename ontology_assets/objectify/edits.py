"""What people hold of an object against later loads, and what a load makes of it.

Kept in the metadata of the object's latest inline event (`edits`), whole, so the heads index it without a look at bulk
rows: `{"set": {property: value or null}, "deleted": bool, "loaded": state or null}`. `loaded` is what the source said
last, null where it has no such object: what an undone edit goes back to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ontology_assets.model.definitions import ObjectType
from ontology_assets.states import State, state_of

EDITOR = "edits"
"""The owner of an object that a command made: no asset is called so, so no load deletes it."""


@dataclass(frozen=True)
class Edits:
    """The edits of one object."""

    set: Mapping[str, Any] = field(default_factory=dict)
    deleted: bool = False
    loaded: State | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Edits":
        """From what the heads hold; {} is no edits."""
        return cls(document.get("set", {}), document.get("deleted", False), document.get("loaded"))

    @property
    def any(self) -> bool:
        return bool(self.set) or self.deleted

    def document(self) -> dict[str, Any]:
        """For the event's metadata; {} where nothing is held any more."""
        return {"set": dict(self.set), "deleted": self.deleted, "loaded": self.loaded} if self.any else {}

    def without(self, names: Sequence[str] | None) -> "Edits":
        """Some fields given back to the source, or (None) all, a deletion too."""
        if names is None:
            return Edits(loaded=self.loaded)
        return Edits({name: value for name, value in self.set.items() if name not in names}, self.deleted, self.loaded)


def overlaid(
    object_type: ObjectType, types: Mapping[str, ObjectType], loaded: State | None, edits: Edits
) -> State | None:
    """The object's state: what the source says under what people hold; None where it is deleted or there is none."""
    if edits.deleted or (loaded is None and not edits.set):
        return None
    properties = {**(loaded["properties"] if loaded else {}), **edits.set}
    return state_of(object_type, types, properties)
