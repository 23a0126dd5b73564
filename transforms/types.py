"""The type grammar of columns and properties, and what each type is in Arrow and in Spark SQL.

    string  integer  double  boolean  date  timestamp  geopoint  enum  decimal(p,s)     and a trailing ? = may be absent

`integer` has 64 bits; `timestamp` is an instant in microseconds, UTC; `enum` is its code; `geopoint` is (lat, lon) in
degrees.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa

SIMPLE = ("string", "integer", "double", "boolean", "date", "timestamp")
ALLOWED_COLUMN_TYPES = [*SIMPLE, "decimal(p,s)", "each with a trailing ? where it may be absent"]
ALLOWED_PROPERTY_TYPES = [*SIMPLE, "geopoint", "enum", "decimal(p,s)", "each with a trailing ? where it may be absent"]
DECIMAL = re.compile(r"decimal\(\s*([0-9]{1,2})\s*,\s*([0-9]{1,2})\s*\)")
SQL_NAMES = {
    "string": "STRING",
    "enum": "STRING",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "geopoint": "STRUCT<lat: DOUBLE, lon: DOUBLE>",
}


@dataclass(frozen=True)
class ColumnType:
    """One type. `kind` is its name without precision and `?`; precision and scale are 0 for all but decimals."""

    kind: str
    nullable: bool = False
    precision: int = 0
    scale: int = 0

    @property
    def base(self) -> str:
        """The type's text without `?`."""
        return f"decimal({self.precision},{self.scale})" if self.kind == "decimal" else self.kind

    @property
    def text(self) -> str:
        return f"{self.base}?" if self.nullable else self.base

    @property
    def sql(self) -> str:
        """The Spark SQL type."""
        return f"DECIMAL({self.precision}, {self.scale})" if self.kind == "decimal" else SQL_NAMES[self.kind]

    @property
    def numeric(self) -> bool:
        return self.kind in ("integer", "double", "decimal")

    @property
    def usable_in_key(self) -> bool:
        """Doubles have no canonical text that people can type, geopoints are two values."""
        return self.kind not in ("double", "geopoint")

    def arrow(self) -> pa.DataType:
        """The Arrow type of a column of this type."""
        if self.kind == "decimal":
            return pa.decimal128(self.precision, self.scale)
        return {
            "string": pa.string(),
            "enum": pa.string(),
            "integer": pa.int64(),
            "double": pa.float64(),
            "boolean": pa.bool_(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us", tz="UTC"),
            "geopoint": pa.struct([("lat", pa.float64()), ("lon", pa.float64())]),
        }[self.kind]

    def with_nullable(self, *, nullable: bool) -> "ColumnType":
        return replace(self, nullable=nullable)


@lru_cache(maxsize=1024)  # asked of every value of a command
def parse_type(text: str) -> ColumnType:
    """Read `decimal(10,2)?`. Raises ValueError, whose message says what is wrong but not where."""
    base, nullable = text.removesuffix("?").strip(), text.endswith("?")
    if base in SQL_NAMES:
        return ColumnType(base, nullable)
    match = DECIMAL.fullmatch(base)
    if match is None:
        raise ValueError(f"there is no type '{text}'")
    precision, scale = int(match[1]), int(match[2])
    if not 1 <= precision <= 38 or scale > precision:
        raise ValueError(f"'{text}' has no values: 1 <= precision <= 38 and scale <= precision are needed")
    return ColumnType("decimal", nullable, precision, scale)


def type_of_arrow(data_type: pa.DataType, *, nullable: bool = False) -> ColumnType:
    """The grammar's type of an Arrow type, so that an engine's table can be compared with a declaration."""
    if pa.types.is_decimal(data_type):
        return ColumnType("decimal", nullable, data_type.precision, data_type.scale)
    for kind, test in (
        ("string", lambda t: pa.types.is_string(t) or pa.types.is_large_string(t) or pa.types.is_string_view(t)),
        ("integer", pa.types.is_integer),
        ("double", pa.types.is_floating),
        ("boolean", pa.types.is_boolean),
        ("date", pa.types.is_date),
        ("timestamp", pa.types.is_timestamp),
        ("geopoint", pa.types.is_struct),
    ):
        if test(data_type):
            return ColumnType(kind, nullable)
    raise ValueError(f"Arrow type {data_type} has no counterpart among {', '.join(ALLOWED_PROPERTY_TYPES)}")
