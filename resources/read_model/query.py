"""The neutral values between a projection, a query and the engine that stores read models.

No engine's words and no JSON here: documents arrive as columns of *cells*, queries as conditions over fields, and an
adapter translates both. A cell is comparable as it is (numbers as numbers, instants as numbers, text by code point):

    string, enum, date (ISO)   str            integer, timestamp (us since 1970)   int
    boolean                    int 0 or 1     double                               float
    decimal(p<=18, s)          int, value * 10**s
    decimal(p>18, s)           bytes, 17 of them, big-endian, value * 10**s + 10**38 (compares like the number)
    geopoint                   two cells: latitude, longitude (float)

An absent value is None; it satisfies no condition but `is_null: true`, and comes last in every sort.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Cell = str | int | float | bytes | None


class Kind(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    DECIMAL = "decimal"
    ENUM = "enum"
    GEOPOINT = "geopoint"


class Operator(StrEnum):
    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "in"
    IS_NULL = "is_null"
    WITHIN = "within"


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a type. `values` are an enum's codes."""

    name: str
    kind: Kind
    precision: int = 0
    scale: int = 0
    searched: bool = False
    values: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        return 2 if self.kind is Kind.GEOPOINT else 1


@dataclass(frozen=True, slots=True)
class LinkField:
    """One link of a type, to at most one object of `target`, found backwards by `inverse`."""

    name: str
    target: str
    inverse: str


@dataclass(frozen=True, slots=True, eq=False)
class TypeLayout:
    """How the objects of one type are held: fields and links, both in order of their names. Equal only to itself."""

    name: str
    key: tuple[str, ...]
    title: str
    fields: tuple[Field, ...]
    links: tuple[LinkField, ...]

    @property
    def has_words(self) -> bool:
        """Whether a text search looks at this type at all."""
        return any(f.searched for f in self.fields)

    @property
    def cells(self) -> int:
        return sum(f.cells for f in self.fields)

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True)
class DomainLayout:
    """All types of a domain, in order of their names."""

    domain: str
    types: tuple[TypeLayout, ...]

    @property
    def fingerprint(self) -> str:
        """Changes when stored rows would have to: enum codes, targets and inverses may change without it."""
        stored = [
            (
                t.name,
                [(f.name, f.kind.value, f.precision, f.scale, f.searched) for f in t.fields],
                [link.name for link in t.links],
            )
            for t in self.types
        ]
        return hashlib.sha256(repr(stored).encode()).hexdigest()[:16]

    def type(self, name: str) -> TypeLayout | None:
        return next((t for t in self.types if t.name == name), None)


@dataclass(frozen=True, slots=True)
class Circle:
    """Within `km` of a point, on a sphere of 6371.0088 km (the earth's mean radius)."""

    lat: float
    lon: float
    km: float


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`. The value is a cell; for IN a tuple of cells, for IS_NULL a bool, for WITHIN a Circle."""

    field: Field
    operator: Operator
    value: Cell | tuple[Cell, ...] | Circle


@dataclass(frozen=True, slots=True)
class Word:
    """A normalised word of a text search; `prefix`: any word that starts so."""

    text: str
    prefix: bool


@dataclass(frozen=True, slots=True)
class Order:
    field: Field
    descending: bool


@dataclass(frozen=True, slots=True)
class After:
    """The place behind which a page starts: the sort cells of the last object shown, and its `born`."""

    cells: tuple[Cell, ...]
    born: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of one type: all words and all conditions hold. Ties are ordered by `born`, in the last order's
    direction.
    """

    type: TypeLayout
    words: tuple[Word, ...] = ()
    where: tuple[Condition, ...] = ()
    sort: tuple[Order, ...] = ()
    after: After | None = None
    limit: int | None = None


class Row(NamedTuple):
    """A stored object. `born` is the position of its first event: unique in the domain, the same in every engine.

    A tuple, because pages and graphs are made of hundreds: a frozen dataclass takes three times as long to make.
    """

    type: TypeLayout
    id: str
    born: int
    sequence: int
    position: int
    cells: tuple[Cell, ...]
    links: tuple[str | None, ...]
