"""YAML 1.2 with places, read into a `YamlSource`.

Refused, each with its place: duplicate keys, tags, anchors and aliases, merge keys, several documents, control
characters, nesting deeper than `MAX_DEPTH`, files beyond `MAX_BYTES`. Scalars follow the core schema of YAML 1.2 (`no`
and `2013-01-01` are text; dates are read by the model). Keys are always text.
"""

import re
from collections.abc import Iterable, Iterator
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

from transforms.yaml_source import FieldPath, YamlSource, field_text

MAX_BYTES = 2_000_000
MAX_DEPTH = 32
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
