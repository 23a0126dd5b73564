"""A definition file once it is parsed: every value knows its line and column; all faults of a file are raised together.

How the text is read is in `yaml_reading.py`.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resources.errors import SpiceError

FieldPath = tuple[str | int, ...]


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
