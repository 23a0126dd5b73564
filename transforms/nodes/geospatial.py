"""`geospatial`: points as WKT, geohash cells, distances, from columns of latitude and longitude in degrees."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from transforms.definition_base import Column
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, replaced
from transforms.nodes.shape import Check, Fault, Shape
from transforms.sql_values import name as quoted
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

EARTH_KM = 6371.0
BITS = 30
"""Of each coordinate: a geohash of 12 letters has 60 bits."""
LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"
DIGITS = 7
"""Decimal places of a degree in WKT, about a centimetre."""


class Geospatial(Node):
    """A new column from latitude and longitude (degrees, WGS 84). `point`: WKT, `POINT (lon lat)`, with at most 7
    decimal places. `geohash`: the cell of `precision` letters. `distance`: kilometres along the great circle to a
    second place, on a sphere of 6371 km, rounded to a millimetre. Where a coordinate is missing or out of its range
    (latitude -90 to 90, longitude -180 to 180) there is no value."""

    operation: ClassVar[str] = "geospatial"
    example: ClassVar[Example] = Example(
        {"places": table("| lat: double? | lon: double? |", "| 57.64911 | 10.40744 |", "| 91.0 | 10.0 |")},
        "cells: {geospatial: geohash, lat: lat, lon: lon, precision: 11, to: cell, from: places}",
        table(
            "| lat: double? | lon: double? | cell: string? |",
            "| 57.64911 | 10.40744 | u4pruydqqvj |",
            "| 91.0 | 10.0 | |",
        ),
    )

    geospatial: Literal["point", "geohash", "distance"] = Field(description="What is made.")
    lat: Column = Field(description="Column of the latitude.")
    lon: Column = Field(description="Column of the longitude.")
    other_lat: Column | None = Field(default=None, description="Latitude of the second place; of `distance` only.")
    other_lon: Column | None = Field(default=None, description="Longitude of the second place; of `distance` only.")
    precision: int | None = Field(default=None, ge=1, le=12, description="Letters of a `geohash`, 1 to 12; default: 7.")
    to: Column = Field(description="The new column.")

    @model_validator(mode="after")
    def _fields_of_the_kind(self) -> Self:
        second = self.other_lat is not None and self.other_lon is not None
        if self.geospatial == "distance" and not second:
            raise PydanticCustomError("no_place", "a distance needs `other_lat` and `other_lon`")
        if self.geospatial != "distance" and (self.other_lat is not None or self.other_lon is not None):
            raise PydanticCustomError("one_place", "only a distance has `other_lat` and `other_lon`")
        if self.geospatial != "geohash" and self.precision is not None:
            raise PydanticCustomError("no_precision", "only a geohash has a `precision`")
        return self

    @property
    def places(self) -> list[tuple[str, str]]:
        """(field, column) of each coordinate."""
        names = ("lat", "lon", "other_lat", "other_lon")
        return [(name, column) for name in names if (column := getattr(self, name)) is not None]

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        good = True
        for field, column in self.places:
            if not check.exists(column, columns, field):
                good = False
            elif not parse_type(columns[column]).numeric:
                check.fault((field,), f"column '{column}' is {columns[column]}, not a number.")
                good = False
        if not good:
            raise Fault
        check.new(self.to, columns, "to")
        return inputs[0].with_columns({**columns, self.to: "double?" if self.geospatial == "distance" else "string?"})

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.source.columns)
        used = [column for _, column in self.places]
        lineage.value(used, self.to, f"{self.geospatial} of {', '.join(used)}")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        value = {"point": self._point, "geohash": self._geohash, "distance": self._distance}[self.geospatial]()
        inside = " AND ".join(
            f"{quoted(column)} BETWEEN -{bound} AND {bound}"
            for (_, column), bound in zip(self.places, (90, 180, 90, 180), strict=False)
        )
        return replaced(inputs[0], made, {self.to: sql(f"CASE WHEN {inside} THEN {value} END")})

    def _point(self) -> str:
        return f"CONCAT('POINT (', {_degrees(self.lon)}, ' ', {_degrees(self.lat)}, ')')"

    def _geohash(self) -> str:
        """Bits of both coordinates in turn, longitude first, five to a letter."""
        cells = {"lon": _cell(self.lon, 180), "lat": _cell(self.lat, 90)}
        letters = []
        for letter in range(self.precision or 7):
            bits = []
            for place in range(5):
                ordinal = letter * 5 + place
                cell = cells["lat" if ordinal % 2 else "lon"]
                bits.append(f"({cell} DIV {1 << (BITS - 1 - ordinal // 2)}) % 2 * {16 >> place}")
            letters.append(f"SUBSTRING('{LETTERS}', CAST({' + '.join(bits)} AS INT) + 1, 1)")
        return f"CONCAT({', '.join(letters)})"

    def _distance(self) -> str:
        here_lat, here_lon, lat, lon = (f"RADIANS(CAST({quoted(column)} AS DOUBLE))" for _, column in self.places)
        north = f"SIN(({lat} - {here_lat}) / 2)"
        east = f"SIN(({lon} - {here_lon}) / 2)"
        chord = f"{north} * {north} + COS({here_lat}) * COS({lat}) * {east} * {east}"
        return f"ROUND({2 * EARTH_KM}D * ASIN(SQRT(LEAST({chord}, 1.0D))), 6)"


def _degrees(column: str) -> str:
    """A coordinate as text: no exponent, no zeros at the end."""
    text = f"CAST(CAST({quoted(column)} AS DECIMAL(10, {DIGITS})) AS STRING)"
    return f"REGEXP_REPLACE(REGEXP_REPLACE({text}, '0+$', ''), '[.]$', '')"


def _cell(column: str, bound: int) -> str:
    """A coordinate as a whole number of `BITS` bits."""
    share = f"(CAST({quoted(column)} AS DOUBLE) + {bound}.0D) / {2 * bound}.0D"
    return f"LEAST(CAST(FLOOR({share} * {1 << BITS}.0D) AS BIGINT), {(1 << BITS) - 1})"
