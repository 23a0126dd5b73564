"""What one command makes of one object: a pure function of the command, its type and the object as it is.

Validation that needs no object is done once (`checked`); what is decided on the object is decided again whenever
another writer was faster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ontology_assets.canonical import json_of, state_hash
from ontology_assets.commands.command import Command
from ontology_assets.commands.errors import CommandRefused, NoSuchObject, ObjectExists
from ontology_assets.events.envelope import EDITS, NULL_STATE_HASH, REQUEST, TRACEPARENT, NewEvent, derived_id
from ontology_assets.events.group import Current, View
from ontology_assets.keys import decode_key, key_types
from ontology_assets.model.definitions import ObjectType
from ontology_assets.objectify.changes import CREATED, DELETED, UPDATED, changed_fields
from ontology_assets.objectify.edits import EDITOR, Edits, overlaid
from ontology_assets.states import State, key_of, state_of, state_text_of, value_of


@dataclass(frozen=True)
class CheckedCommand:
    """A command that fits its type, as a request of the group commit. `held`: its edits are kept by later loads."""

    command: Command
    object_type: ObjectType
    types: Mapping[str, ObjectType]
    held: bool
    id: str
    values: Mapping[str, Any]
    digest: str

    @property
    def command_id(self) -> str:
        return self.command.command_id

    @property
    def touches(self) -> Sequence[tuple[str, str]]:
        return [(self.object_type.name, self.id)]

    def decide(self, view: View) -> Sequence[NewEvent]:
        """One event: also where nothing changes, so that the command is in the log and a repeated one is known."""
        name = self.object_type.name
        if self.command.expected_seq is not None:
            view.expect(name, self.id, self.command.expected_seq)
        now = view.current(name, self.id)
        kind, edits = self.command.kind, Edits.of(now.edits)
        if kind == "create":
            if now.alive:
                raise ObjectExists(name, self.id, now.sequence)
            made = state_of(self.object_type, self.types, self.values)
            self._check_links(view, made)
            return [self._event(now, made, Edits(dict(self.values), loaded=edits.loaded))]
        if kind == "undo":
            return [self._undone(now, edits)]
        if not now.alive:
            raise NoSuchObject(name, self.id)
        before: State = orjson.loads(now.state or "null")
        # What the source said last: until the first edit that is the state itself, unless a command made the object.
        loaded = edits.loaded if edits.any else (None if now.owner == EDITOR else before)
        if kind == "delete":
            return [self._event(now, None, Edits(edits.set, True, loaded))]  # noqa: FBT003
        after = state_of(self.object_type, self.types, {**before["properties"], **self.values})
        self._check_links(view, after)
        return [self._event(now, after, Edits({**edits.set, **self.values}, loaded=loaded))]

    def _undone(self, now: Current, edits: Edits) -> NewEvent:
        if not edits.any:
            raise CommandRefused("nothing of it is edited", where=f"{self.object_type.name}/{self.id}")
        for name in self.command.fields or ():
            if name not in edits.set:
                raise CommandRefused(f"{name} is not edited", where="fields", allowed=sorted(edits.set))
        rest = edits.without(self.command.fields)
        missing = [
            name
            for name, one in self.object_type.properties.items()
            if rest.set and rest.loaded is None and not one.nullable and name not in rest.set
        ]
        if missing:
            raise CommandRefused(
                f"no source has {', '.join(missing)} of it, and an object can't be without", where="fields"
            )
        return self._event(now, overlaid(self.object_type, self.types, rest.loaded, rest), rest)

    def _check_links(self, view: View, after: State) -> None:
        for name, link in self.object_type.links.items():
            for target in after["links"].get(name, ()) if link.dangling == "fail" else ():
                if not view.current(link.to, target).alive:
                    raise CommandRefused(
                        f"there is no {link.to} {target} for the link {name}", where=f"{self.object_type.name}.{name}"
                    )

    def _event(self, now: Current, after: State | None, edits: Edits) -> NewEvent:
        metadata: dict[str, Any] = {REQUEST: self.digest}
        if self.held or now.edits:
            metadata[EDITS] = edits.document()
        command = self.command
        if command.traceparent is not None:
            metadata[TRACEPARENT] = command.traceparent
        text = "null" if after is None else state_text_of(after)
        event_type = DELETED if after is None else UPDATED if now.alive else CREATED
        changed = ""
        if now.state is not None and after is not None:
            changed = f'"changed":{orjson.dumps(changed_fields(now.state, text)).decode()},'
        return NewEvent(
            event_id=derived_id("command", command.command_id, "0"),
            event_type=event_type,
            aggregate_type=self.object_type.name,
            aggregate_id=self.id,
            sequence_number=now.sequence + 1,
            data=f'{{{changed}"state":{text}}}',
            state_hash=NULL_STATE_HASH if after is None else state_hash(text),
            metadata=orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS).decode(),
            actor=command.actor,
            command_id=command.command_id,
            correlation_id=command.correlation_id,
            causation_id=command.causation_id,
            owner=now.owner if now.owner is not None else EDITOR,
        )


def checked(
    command: Command, object_type: ObjectType, types: Mapping[str, ObjectType], *, held: bool
) -> CheckedCommand:
    """The command with its values typed. Raises CommandRefused, KeyRefused, NotCanonical."""
    known = object_type.properties
    values: dict[str, Any] = {}
    for name, value in command.properties.items():
        place = f"{object_type.name}.{name}"
        if name not in known:
            raise CommandRefused(f"{object_type.name} has no property {name!r}", where=place, allowed=sorted(known))
        if value is None and not known[name].nullable:
            raise CommandRefused(f"{name} can't be absent", where=place, allowed=[known[name].type])
        values[name] = None if value is None else value_of(known[name], value, place)
    if command.kind == "create":
        missing = [name for name, one in known.items() if not one.nullable and name not in values]
        if missing:
            raise CommandRefused(f"{', '.join(missing)} must be given", where=object_type.name, allowed=sorted(known))
        made = key_of(object_type, values)
        if command.id is not None and command.id != made:
            raise CommandRefused(f"the id of these properties is {made}, not {command.id}", where="id", allowed=[made])
        return CheckedCommand(command, object_type, types, held, made, values, command.digest)
    given = command.id or ""
    for name, kind, part in zip(object_type.key, key_types(object_type), decode_key(object_type, given), strict=True):
        if name in values and values[name] != orjson.loads(json_of(part, kind)):
            raise CommandRefused(
                f"{name} is part of the key of {given} and can't change; delete the object and create another",
                where=f"{object_type.name}.{name}",
            )
    if command.kind == "update" and not values:
        raise CommandRefused("an update names at least one property", where="properties", allowed=sorted(known))
    return CheckedCommand(command, object_type, types, held, given, values, command.digest)
