"""A command as people and programs send it: reading the document, and the hash by which a repeated one is known."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import orjson

from ontology_assets.commands.errors import CommandRefused

Kind = Literal["create", "update", "delete", "undo"]
KINDS: tuple[str, ...] = get_args(Kind)
MEMBERS = (
    "command_id", "command", "type", "id", "properties", "fields", "expected_seq",
    "actor", "correlation_id", "causation_id",
)  # fmt: skip
MOST_TEXT, MOST_ID = 200, 900
"""Characters."""


@dataclass(frozen=True)
class Command:
    """One thing to be done to one object.

    `command_id` is the idempotency key, for ever: the same command under it is done once. `expected_seq` is the last
    sequence that the sender knows of, 0 for none, None for "whatever it is". `properties` of an update are those that
    change, null takes one away. `fields` of an undo are the edited properties to give back to the source, None for all.
    """

    command_id: str
    kind: Kind
    type: str
    id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[str, ...] | None = None
    expected_seq: int | None = None
    actor: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    """The W3C trace context it came in (`tracing.read_traceparent`); a document has none, a request's header may."""

    @property
    def digest(self) -> str:
        """sha256 over what is asked for; who asks and why is no part of it."""
        asked = {
            "command": self.kind,
            "type": self.type,
            "id": self.id,
            "properties": dict(self.properties),
            "fields": None if self.fields is None else sorted(self.fields),
            "expected_seq": self.expected_seq,
        }
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_command(document: Any) -> Command:
    """From JSON. Raises CommandRefused with the member and what is allowed."""
    if not isinstance(document, Mapping):
        raise CommandRefused("a JSON object is expected", where="document", allowed=MEMBERS)
    for name in document:
        if name not in MEMBERS:
            raise CommandRefused(f"there is no member {name!r} here", where=str(name), allowed=MEMBERS)
    kind = document.get("command")
    if kind not in KINDS:
        raise CommandRefused(f"{kind!r} is no command", where="command", allowed=KINDS)
    expected = document.get("expected_seq")
    if expected is not None and (isinstance(expected, bool) or not isinstance(expected, int) or expected < 0):
        raise CommandRefused(
            f"{expected!r} is no sequence number", where="expected_seq", allowed=["0 for a new object, else 1, 2, ..."]
        )
    properties, fields = document.get("properties", {}), document.get("fields")
    if not isinstance(properties, Mapping):
        raise CommandRefused("a JSON object is expected", where="properties")
    if fields is not None and (not isinstance(fields, list) or not all(isinstance(name, str) for name in fields)):
        raise CommandRefused("a list of property names is expected", where="fields")
    for name, given, only in (("properties", properties, ("create", "update")), ("fields", fields, ("undo",))):
        if given and kind not in only:
            raise CommandRefused(f"{kind} takes no {name}", where=name, allowed=[f"only with {' or '.join(only)}"])
    return Command(
        command_id=_text(document, "command_id", needed=True) or "",
        kind=kind,
        type=_text(document, "type", needed=True) or "",
        id=_text(document, "id", needed=kind != "create", most=MOST_ID),
        properties=dict(properties),
        fields=None if fields is None else tuple(fields),
        expected_seq=expected,
        **{name: _text(document, name) for name in ("actor", "correlation_id", "causation_id")},
    )


def _whole(text: str) -> bool:
    """Whether no half of a surrogate pair stands in it."""
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def _text(document: Mapping[str, Any], name: str, *, needed: bool = False, most: int = MOST_TEXT) -> str | None:
    value = document.get(name)
    if value is None and not needed:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= most or not _whole(value):
        raise CommandRefused(f"{name} must be a text", where=name, allowed=[f"1 to {most} characters"])
    return value
