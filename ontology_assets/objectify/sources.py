"""What the source of an object type says beside the rows that are loaded: keys in other partitions and in quarantine."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.keys import key_column, key_types
from ontology_assets.model.definitions import Domain
from ontology_assets.objectify.decide import Elsewhere
from ontology_assets.objectify.mapping import Session, compile_mapping, read_mapped, source_columns, typed
from ontology_assets.objectify.states import PARTITION
from resources.lake.base import BATCH_ROWS, Lake
from resources.spark import to_arrow
from transforms.quarantine import quarantined_rows, raw_row
from transforms.sql_values import Conversion, Sql, name
from transforms.types import ColumnType, parse_type

CLEAN = "clean/"


@dataclass(frozen=True)
class Quarantine:
    """Of one partition: how many rows are in quarantine, ids of those whose key can be read, how many have none."""

    quarantined: int = 0
    protected: frozenset[str] = field(default_factory=frozenset)
    unreadable: int = 0


def key_elsewhere(
    spark: Session, lake: Lake, domain: Domain, type_name: str, *, here: Sequence[str], run: Sequence[str]
) -> Elsewhere:
    """Looks ids up in the source's partitions outside of the chunk `here`: the named ones, or all of the run.

    Reads keys only, some partitions at a time, and only when asked.
    """
    object_type = domain.object_types[type_name]

    def places(ids: pa.Array, partitions: Sequence[str] | None) -> dict[str, str]:
        chosen = [one for one in (run if partitions is None else partitions) if one not in set(here)]
        found: dict[str, str] = {}
        for chunk in chunks_of(lake, domain.mappings[type_name].source, chosen):
            rows = read_mapped(spark, lake, domain, type_name, chunk, only=object_type.key)
            keys = key_column(
                [(rows[one], kind) for one, kind in zip(object_type.key, key_types(object_type), strict=True)]
            )
            hit = pc.is_in(keys, value_set=ids)
            found.update(zip(keys.filter(hit).to_pylist(), rows[PARTITION].filter(hit).to_pylist(), strict=True))
        return found

    return places


def chunks_of(lake: Lake, table: str, partitions: Sequence[str], limit: int = BATCH_ROWS) -> Iterator[list[str]]:
    """The partitions in groups of at most `limit` rows (a larger one alone), so that memory does not grow with the table."""
    sizes = lake.rows(table)
    chunk: list[str] = []
    rows = 0
    for partition in partitions:
        size = sizes.get(partition, 0)
        if chunk and rows + size > limit:
            yield chunk
            chunk, rows = [], 0
        chunk.append(partition)
        rows += size
    if chunk:
        yield chunk


def quarantine_of(
    spark: Session, lake: Lake, domain: Domain, type_name: str, partitions: Sequence[str]
) -> dict[str, Quarantine]:
    """By partition: the quarantined rows of the type's source. A row without a partition may belong to any of them.

    A pipeline's result has no quarantine of its own.
    """
    source = domain.mappings[type_name].source
    if not source.startswith(CLEAN):
        return {}
    rows = quarantined_rows(lake, source.removeprefix(CLEAN), partitions)
    if not rows.num_rows:
        return {}
    keys = _keys(spark, lake, domain, type_name, [raw_row(text) for text in rows["raw"].to_pylist()])
    counted: dict[str, int] = defaultdict(int)
    protected: dict[str, set[str]] = defaultdict(set)
    unreadable: dict[str, int] = defaultdict(int)
    wanted = set(partitions)
    for partition, key in zip(rows["partition"].to_pylist(), keys, strict=True):
        for one in partitions if partition is None else wanted & {partition}:
            counted[one] += 1
            if key is None:
                unreadable[one] += 1
            else:
                protected[one].add(key)
    return {one: Quarantine(counted[one], frozenset(protected[one]), unreadable[one]) for one in counted}


def _keys(spark: Session, lake: Lake, domain: Domain, type_name: str, raw: list[dict[str, str]]) -> list[str | None]:
    """The key text of each raw row, typed as the clean table is; None where a part of it can't be read."""
    object_type, source = domain.object_types[type_name], domain.mappings[type_name].source
    if lake.state(source).number < 0:
        return [None] * len(raw)  # nothing was ever clean, so nothing is owned that could be protected
    columns = source_columns(lake.schema(source))
    projection = compile_mapping(domain, type_name, columns)
    key = [one for one in projection.properties if one.name in object_type.key]
    used = sorted(set().union(*(one.columns for one in key)))
    nulls = set(domain.datasets[source.removeprefix(CLEAN)].nulls)
    texts = {column: [None if row.get(column) in nulls else row.get(column) for row in raw] for column in used}
    table = pa.table({"_ordinal": pa.array(range(len(raw))), **{c: pa.array(v, pa.string()) for c, v in texts.items()}})
    lenient = Conversion(domain.timezone, lenient=True)
    text = ColumnType("string", nullable=True)
    casts = [f"{lenient.cast(Sql(name(c), text), parse_type(columns[c])).text} AS {name(c)}" for c in used]
    frame = spark.createDataFrame(table).selectExpr("_ordinal", *casts)
    rows = to_arrow(frame.selectExpr("_ordinal", *projection.selection(object_type.key))).sort_by("_ordinal")
    rows = typed(object_type, rows)
    parts = [(rows[one], kind) for one, kind in zip(object_type.key, key_types(object_type), strict=True)]
    result: list[str | None] = key_column(parts).to_pylist()
    return result
