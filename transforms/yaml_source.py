"""YAML 1.2 with places: every value knows its file, line and column; all faults of a file are raised together.

Refused, each with its place: duplicate keys, tags, anchors and aliases, merge keys, several documents, control
characters, nesting deeper than `MAX_DEPTH`, files beyond `MAX_BYTES`. Scalars follow the core schema of YAML 1.2 (`no`
and `2013-01-01` are text; dates are read by the model). Keys are always text.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from resources.errors import SpiceError

MAX_BYTES = 2_000_000
MAX_DEPTH = 32
FieldPath = tuple[str | int, ...]
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Fault:
    """One thing to mend: its place (`file:line:column`), its field, what is wrong, what is allowed there."""

    where: str
    field: str
    detail: str
    allowed: tuple[str, ...] = ()

    def text(self) -> str:
        subject = f"{self.field}: " if self.field else ""
        allowed = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        return f"{self.where}: {subject}{self.detail}{allowed}"


class DefinitionError(SpiceError):
    """All faults of a definition file, in the order of their places."""

    kind = "urn:spice:definition-error"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0]
        count = len(self.faults)
        detail = f"{first.field}: {first.detail}" if first.field else first.detail
        super().__init__(
            "Definition error" if count == 1 else f"{count} definition errors",
            detail,
            where=first.where,
            allowed=list(first.allowed) or None,
        )

    def text(self) -> str:
        return "\n".join(fault.text() for fault in self.faults)

    def problem(self) -> dict[str, Any]:
        document = super().problem()
        document["errors"] = [
            {
                "where": fault.where,
                "field": fault.field,
                "detail": fault.detail,
                **({"allowed": list(fault.allowed)} if fault.allowed else {}),
            }
            for fault in self.faults
        ]
        return document


def field_text(path: FieldPath) -> str:
    """A field path as people write it: `datasets.orders.nulls[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def suggestion(name: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?` where one of the allowed names is close, else nothing."""
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


@dataclass
class YamlSource:
    """One parsed file: plain data, the place of each value, and the faults found so far.

    `places` holds (line, column), both from 1, of each value; `keys` those of the keys of mappings; `quoted` the
    paths of single-line scalars whose text starts one column after their place.
    """

    path: Path
    data: Any = None
    places: dict[FieldPath, tuple[int, int]] = field(default_factory=dict)
    keys: dict[FieldPath, tuple[int, int]] = field(default_factory=dict)
    quoted: set[FieldPath] = field(default_factory=set)
    defaults: dict[FieldPath, FieldPath] = field(default_factory=dict)
    faults: dict[tuple[int, int, str, str], Fault] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file as messages name it: relative to the working directory where it lies below it."""
        working = Path.cwd()
        return str(self.path.relative_to(working) if self.path.is_relative_to(working) else self.path)

    def place(self, path: FieldPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column of a value (or of its key), of the nearest enclosing one where it is not there itself."""
        for length in range(len(path), -1, -1):
            here = path[:length]
            if key and here in self.keys:
                return self.keys[here]
            if here in self.places:
                return self.places[here]
        return (1, 1)

    def where(self, path: FieldPath, *, key: bool = False) -> str:
        line, column = self.place(path, key=key)
        return f"{self.name}:{line}:{column}"

    def fault(self, path: FieldPath, detail: str, allowed: Iterable[str] = (), *, key: bool = False) -> None:
        """Note a fault of the value (or key) at `path`."""
        self.fault_at(self.place(path, key=key), field_text(self.written(path)), detail, allowed)

    def written(self, path: FieldPath) -> FieldPath:
        """Where the value at a path stands in the file: elsewhere for a default."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.defaults:
                return self.defaults[path[:length]] + path[length:]
        return path

    def fault_at(self, place: tuple[int, int], name: str, detail: str, allowed: Iterable[str] = ()) -> None:
        where = f"{self.name}:{place[0]}:{place[1]}"
        self.faults[(*place, name, detail)] = Fault(where, name, detail, tuple(allowed))

    def copy_default(self, origin: FieldPath, target: FieldPath) -> None:
        """Give a value that was filled in from `origin` the places it has there."""
        depth = len(origin)
        self.defaults[target] = origin
        for places in (self.places, self.keys):
            for path, place in list(places.items()):
                if path[:depth] == origin:
                    places[target + path[depth:]] = place

    def raise_faults(self) -> None:
        """Raise what was noted, if anything, sorted by place."""
        if self.faults:
            raise DefinitionError(self.faults[key] for key in sorted(self.faults))


def read_yaml(path: Path) -> YamlSource:
    """Parse one file. Faults of the YAML itself are raised together; a file that can't be read is a fault as well."""
    source = YamlSource(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        source.fault((), f"the file can't be read ({error.strerror or error}).")
        source.raise_faults()
        raise
    if len(content) > MAX_BYTES:
        source.fault((), f"the file has {len(content):,} bytes; at most {MAX_BYTES:,} are read.")
        source.raise_faults()
    parse_yaml(source, content)
    source.raise_faults()
    return source


def parse_yaml(source: YamlSource, content: bytes) -> None:
    """Fill `source` from UTF-8 content; what is wrong is noted in it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        source.fault_at((line, 1), "", f"byte {error.start} is not UTF-8; save the file as UTF-8.")
        return
    builder = _Builder(source)
    try:
        builder.build(YAML(typ="safe", pure=True).parse(text))
    except _StopReading:
        return
    except ReaderError as error:
        place = (text.count("\n", 0, error.position) + 1, error.position - text.rfind("\n", 0, error.position))
        source.fault_at(place, "", "this character is not allowed in YAML.")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        source.fault_at(place, "", f"not valid YAML: {said}.")
    except YAMLError as error:
        source.fault((), f"not valid YAML: {error}.")


class _StopReading(Exception):
    """What follows can't be read any more."""


class _Builder:
    """Plain data from parser events, without recursion: a nested list of 100,000 brackets must not end the process."""

    def __init__(self, source: YamlSource) -> None:
        self.source = source
        self.documents = 0

    def build(self, events: Iterable[Any]) -> None:
        stream: Iterator[Any] = iter(events)
        stack: list[tuple[FieldPath, Any, str | None]] = []  # path, container, pending key (of mappings)
        for event in stream:
            if isinstance(event, DocumentStartEvent):
                self.start_document(event)
            elif isinstance(event, AliasEvent):
                self.note(event, f"the alias '*{event.anchor}' is not allowed here: write the value itself.")
                stack = self.add(stack, None, event)
            elif isinstance(event, ScalarEvent):
                self.check_node(event)
                stack = self.scalar(stack, event)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self.check_node(event)
                container: Any = {} if isinstance(event, MappingStartEvent) else []
                if stack and isinstance(stack[-1][1], dict) and stack[-1][2] is None:
                    self.note(event, "a key must be a single word or text.")
                    raise _StopReading
                path = self.next_path(stack)
                stack = self.add(stack, container, event)
                stack.append((path, container, None))
                if len(stack) > MAX_DEPTH:
                    self.note(event, f"nested deeper than {MAX_DEPTH} levels.")
                    raise _StopReading
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                stack.pop()

    def start_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            self.note(event, "a definition file holds one document; remove the second '---'.")
            raise _StopReading
        if event.version is not None and tuple(event.version) != (1, 2):
            self.note(event, "only YAML 1.2 is read; remove the %YAML line.")

    def check_node(self, event: Any) -> None:
        if event.anchor is not None:
            self.note(event, f"the anchor '&{event.anchor}' is not allowed here: write the value where it is used.")
        if event.tag is not None:
            self.note(event, f"the tag '{event.tag}' is not allowed here: remove it.")

    def scalar(self, stack: list[Any], event: Any) -> list[Any]:
        if CONTROL.search(event.value):
            self.note(event, "control characters are not allowed in text.")
        if stack and isinstance(stack[-1][1], dict) and stack[-1][2] is None:
            return self.key(stack, event)
        path = self.next_path(stack)
        if event.style in ("'", '"') and event.start_mark.line == event.end_mark.line:
            self.source.quoted.add(path)
        return self.add(stack, plain_value(event.value) if event.style is None else event.value, event)

    def key(self, stack: list[Any], event: Any) -> list[Any]:
        path, container, _ = stack[-1]
        if event.value == "<<" and event.style is None:
            self.note(event, "merge keys ('<<') are not allowed: write the fields out.")
        name = event.value
        if name in container:
            first = self.source.keys[(*path, name)][0]
            self.source.fault_at(
                mark(event), field_text((*path, name)), f"the key '{name}' is there twice (first in line {first})."
            )
        else:
            self.source.keys[(*path, name)] = mark(event)
        stack[-1] = (path, container, name)
        return stack

    def next_path(self, stack: list[Any]) -> FieldPath:
        if not stack:
            return ()
        path, container, key = stack[-1]
        return (*path, len(container) if isinstance(container, list) else key)

    def add(self, stack: list[Any], value: Any, event: Any) -> list[Any]:
        self.source.places[self.next_path(stack)] = mark(event)
        if not stack:
            self.source.data = value
            return stack
        path, container, key = stack[-1]
        if isinstance(container, list):
            container.append(value)
        elif key is not None:
            container[key] = value
            stack[-1] = (path, container, None)
        else:
            self.note(event, "a key must be a single word or text.")
            raise _StopReading
        return stack

    def note(self, event: Any, detail: str) -> None:
        self.source.fault_at(mark(event), "", detail)


def mark(event: Any) -> tuple[int, int]:
    """Line and column of an event, from 1."""
    return (event.start_mark.line + 1, event.start_mark.column + 1)


def plain_value(text: str) -> str | int | float | bool | None:
    """An unquoted scalar by the core schema of YAML 1.2, without octal, hexadecimal, infinity and not-a-number.

    A number with leading zeros stays text: `007` is an id, and 7 is another one.
    """
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if INTEGER.fullmatch(text):
        return int(text)
    if FLOAT.fullmatch(text):
        return float(text)
    return text
