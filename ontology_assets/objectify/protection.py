"""Which objects are not gone although no row brings them: those whose row lies in quarantine."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.keys import key_column, key_types
from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.objectify.mapping import Session, compile_mapping, source_columns, typed
from resources.lake.base import Lake
from resources.spark import to_arrow
from transforms import text_forms
from transforms.quarantine import quarantined_rows, raw_row
from transforms.sql_values import name
from transforms.types import parse_type

CLEAN = "clean/"


@dataclass(frozen=True)
class Protection:
    """Of one partition: how many rows are in quarantine, ids of those whose key can be read, how many have none."""

    quarantined: int = 0
    protected: frozenset[str] = frozenset()
    unreadable: int = 0


def protections(
    lake: Lake, domain: Domain, object_type: ObjectType, partitions: Sequence[str], *, engine: Callable[[], Session]
) -> dict[str, Protection]:
    """By partition, for each of them. A quarantined row without a partition may belong to any.

    A pipeline's result has no quarantine of its own. `engine` gives the session; it is asked only if there are rows.
    """
    source = domain.mappings[object_type.name].source
    counted: dict[str, int] = defaultdict(int)
    protected: dict[str, set[str]] = defaultdict(set)
    unreadable: dict[str, int] = defaultdict(int)
    if source.startswith(CLEAN):
        rows = quarantined_rows(lake, source.removeprefix(CLEAN), partitions)
        asked = set(partitions)
        concerned = [
            (sorted(asked) if partition is None else sorted(asked & {partition}), raw_row(raw))
            for partition, raw in zip(rows["partition"].to_pylist(), rows["raw"].to_pylist(), strict=True)
        ]
        concerned = [(those, raw) for those, raw in concerned if those]
        keys = _keys(lake, domain, object_type, [raw for _, raw in concerned], engine)
        for (those, _), key in zip(concerned, keys, strict=True):
            for one in those:
                counted[one] += 1
                if key is None:
                    unreadable[one] += 1
                else:
                    protected[one].add(key)
    return {one: Protection(counted[one], frozenset(protected[one]), unreadable[one]) for one in partitions}


def quarantine_versions(
    lake: Lake, domain: Domain, object_type: ObjectType, partitions: Sequence[str]
) -> dict[str, str]:
    """By partition: a hash of what the raw stage quarantined of it, or may have; partitions without such are left out.

    The data version of the clean table does not know these rows, and they decide what may be deleted: it belongs to the
    data version of the objects, else an object that a spoilt row held would stay after the row is gone.
    """
    source = domain.mappings[object_type.name].source
    if not source.startswith(CLEAN):
        return {}
    rows = quarantined_rows(lake, source.removeprefix(CLEAN), partitions)
    texts: dict[str, list[str]] = defaultdict(list)
    for row in rows.filter(pc.equal(rows["stage"], "raw")).select(["partition", "raw"]).to_pylist():
        for one in partitions if row["partition"] is None else {row["partition"]} & set(partitions):
            texts[one].append(row["raw"])
    return {one: hashlib.sha256("\n".join(sorted(those)).encode()).hexdigest() for one, those in texts.items()}


def _keys(
    lake: Lake, domain: Domain, object_type: ObjectType, raw: list[dict[str, str]], engine: Callable[[], Session]
) -> list[str | None]:
    """The key text of each raw row, typed as the clean table is; None where a part of it can't be read."""
    source = domain.mappings[object_type.name].source
    if not raw or lake.state(source).number < 0:
        return [None] * len(raw)  # nothing was ever clean, so nothing is owned that could be protected
    columns = source_columns(lake.schema(source))
    projection = compile_mapping(domain, object_type, columns)
    used = sorted(set().union(*(one.columns for one in projection.properties if one.name in object_type.key)))
    nulls = domain.datasets[source.removeprefix(CLEAN)].nulls
    texts = {column: pa.array([row.get(column) for row in raw], pa.string()) for column in used}
    values = [
        f"{text_forms.typed(column, parse_type(columns[column]), nulls, domain.timezone)} AS {name(column)}"
        for column in used
    ]
    frame = engine().createDataFrame(pa.table({"_ordinal": pa.array(range(len(raw)), pa.int64()), **texts}))
    frame = frame.selectExpr("_ordinal", *values).selectExpr("_ordinal", *projection.selection(object_type.key))
    rows = typed(object_type, to_arrow(frame).sort_by("_ordinal"))
    parts = [(rows[part], kind) for part, kind in zip(object_type.key, key_types(object_type), strict=True)]
    keys: list[str | None] = key_column(parts).to_pylist()
    return keys
