"""From a table of the lake to the properties of an object type: the projection, checked against types, and its reading.

A value that its property's type does not take is no null: its text is kept in a `_failed_<property>` column, where the
gates find it. How expressions are checked is in `transforms.expressions`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.objectify.gates import FAILED
from ontology_assets.objectify.states import LINE, OCCURRED_AT, PARTITION, ROW, SOURCE_FILE
from resources.errors import SpiceError
from resources.lake.base import Lake
from resources.spark import delta, to_arrow
from transforms.expressions import compile_expression
from transforms.sql_values import Conversion, Mismatch, Sql, name, never_fails, spoken
from transforms.types import ColumnType, parse_type, type_of_arrow
from transforms.yaml_source import suggestion

Session: TypeAlias = Any
"""A Spark Connect session (`resources.spark.session()`); its package is no import of this one, not even for a type."""
ORIGIN = (PARTITION, ROW, LINE, SOURCE_FILE)


class MappingRefused(SpiceError):
    """A mapping that does not fit its object type or its source."""

    kind = "spice:mapping-refused"

    def __init__(self, detail: str, *, where: str, allowed: list[str] | None = None) -> None:
        super().__init__("The mapping does not fit", detail, where=where, allowed=allowed)


@dataclass(frozen=True)
class MappedProperty:
    """A property's Spark SQL, in its declared type. `failed` gives the text of a value that this type does not take;
    None where there can be none. `columns` of the source are read."""

    name: str
    sql: str
    failed: str | None
    columns: frozenset[str]


@dataclass(frozen=True)
class Projection:
    """What is read of `source` for the objects of a type."""

    object_type: ObjectType
    source: str
    properties: tuple[MappedProperty, ...]
    occurred_at: str | None

    def selection(self, only: Collection[str] | None = None) -> list[str]:
        """Select expressions: properties (those of `only`), the texts that failed, `_occurred_at` with all of them."""
        parts = []
        for one in self.properties:
            if only is None or one.name in only:
                parts.append(f"{one.sql} AS {name(one.name)}")
                if one.failed is not None:
                    parts.append(f"{one.failed} AS {name(FAILED + one.name)}")
        if only is None and self.occurred_at is not None:
            parts.append(f"{self.occurred_at} AS {name(OCCURRED_AT)}")
        return parts


def source_columns(schema: pa.Schema) -> dict[str, str]:
    """Column -> type of a table of the lake, its own bookkeeping (`_row`, ...) left out."""
    return {
        field.name: type_of_arrow(field.type, nullable=True).text for field in schema if not field.name.startswith("_")
    }


def compile_mapping(domain: Domain, object_type: ObjectType, columns: Mapping[str, str]) -> Projection:
    """The projection of a mapping over the source's columns (name -> type). Raises MappingRefused, ExpressionError."""
    mapping = domain.mappings[object_type.name]
    where = f"mappings.{object_type.name}"
    unknown = [one for one in mapping.set if one not in object_type.properties]
    if unknown:
        hint = suggestion(unknown[0], object_type.properties)
        detail = f"{object_type.name} has no property '{unknown[0]}'.{hint}"
        raise MappingRefused(detail, where=f"{where}.set.{unknown[0]}", allowed=list(object_type.properties))
    conversion = Conversion(domain.timezone, lenient=False)
    properties = []
    for prop, declared in object_type.properties.items():
        place = f"{where}.set.{prop}"
        text = mapping.set.get(prop)
        if text is None:
            if prop not in columns:
                detail = f"{mapping.source} has no column '{prop}'; write in `set` how '{prop}' is made"
                raise MappingRefused(detail, where=place, allowed=list(columns))
            value, used = Sql(name(prop), parse_type(columns[prop])), frozenset([prop])
        else:
            compiled = compile_expression(text, columns, where=place, timezone=domain.timezone)
            value, used = Sql(compiled.sql, parse_type(compiled.type)), compiled.columns
        sql, failed = _as_declared(value, declared.parsed, conversion, place)
        properties.append(MappedProperty(prop, sql, failed, used))
    return Projection(object_type, mapping.source, tuple(properties), _occurred_at(domain, object_type.name, columns))


def read_mapped(
    spark: Session,
    lake: Lake,
    domain: Domain,
    object_type: ObjectType,
    partitions: Sequence[str],
    *,
    only: Collection[str] | None = None,
) -> pa.Table:
    """The rows of the named partitions (`[""]`: of an unpartitioned source) as properties.

    With `_partition` and, where the source has them, `_row`, `_line`, `_source_file`; `_occurred_at` where the mapping
    says it. `only`: these properties and no `_occurred_at`.
    """
    schema = lake.schema(domain.mappings[object_type.name].source)
    projection = compile_mapping(domain, object_type, source_columns(schema))
    partitioned = PARTITION in schema.names
    origin = [name(column) for column in ORIGIN if column in schema.names]
    chosen, version = list(partitions) if partitioned else None, lake.version(projection.source)
    frame = delta(spark, lake.path(projection.source), chosen, version=version)
    rows = to_arrow(frame.selectExpr(*projection.selection(only), *origin))
    rows = typed(object_type, rows)
    if not partitioned:
        rows = rows.append_column(PARTITION, pa.repeat(pa.scalar("", pa.string()), rows.num_rows))
    return rows


def read_links(
    spark: Session, lake: Lake, domain: Domain, object_type: ObjectType, partitions: Sequence[str]
) -> pa.Table:
    """Of the same rows only what ids and link targets are made of."""
    only = {*object_type.key, *(part for link in object_type.links.values() for part in link.by)}
    return read_mapped(spark, lake, domain, object_type, partitions, only=only)


def typed(object_type: ObjectType, rows: pa.Table) -> pa.Table:
    """The properties in their declared Arrow types; columns of failed texts only where there is one."""
    columns = {}
    for column in rows.column_names:
        values = rows[column]
        if column in object_type.properties:
            wanted = object_type.properties[column].parsed.arrow()
            columns[column] = values if values.type == wanted else values.cast(wanted)
        elif not column.startswith(FAILED) or values.null_count < rows.num_rows:
            columns[column] = values
    return pa.table(columns)


def _as_declared(value: Sql, declared: ColumnType, conversion: Conversion, place: str) -> tuple[str, str | None]:
    """SQL of the value in the declared type, and of the text of a value that this type does not take."""
    source = value.type
    _refuse_loss(source, declared, place)
    try:
        cast = conversion.cast(value, declared)
    except Mismatch as mismatch:
        raise MappingRefused(f"{mismatch}, but the property is {declared.base}", where=place) from mismatch
    if source.base == declared.base or never_fails(value, declared):
        return cast.text, None
    failed = f"CASE WHEN {value.text} IS NOT NULL AND {cast.text} IS NULL THEN CAST({value.text} AS STRING) END"
    return cast.text, failed


def _refuse_loss(source: ColumnType, declared: ColumnType, place: str) -> None:
    """A conversion that would silently drop digits has to be written."""
    truncates = (
        declared.kind == "integer"
        and source.kind in ("double", "decimal")
        and (source.kind, source.scale) != ("decimal", 0)
    )
    rounds = declared.kind == source.kind == "decimal" and declared.scale < source.scale
    if truncates or rounds:
        detail = (
            f"the value is {spoken(source)} and the property {declared.base}: digits after the point would be lost; "
            "round or cast it in `set`, or change the property's type"
        )
        raise MappingRefused(detail, where=place)


def _occurred_at(domain: Domain, type_name: str, columns: Mapping[str, str]) -> str | None:
    text = domain.mappings[type_name].occurred_at
    if text is None:
        return None
    place = f"mappings.{type_name}.occurred_at"
    compiled = compile_expression(text, columns, where=place, timezone=domain.timezone)
    kind = parse_type(compiled.type)
    if kind.kind not in ("timestamp", "date"):
        detail = f"it is {spoken(kind)}, not a time; write for example timestamp(...)"
        raise MappingRefused(detail, where=place, allowed=["timestamp", "date"])
    conversion = Conversion(domain.timezone, lenient=False)
    return conversion.cast(Sql(compiled.sql, kind), ColumnType("timestamp", nullable=True)).text
