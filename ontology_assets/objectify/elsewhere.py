"""Does another partition hold a key now? Tells an object that moves from one that is gone, and from two of one key."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.keys import key_column, key_types
from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.objectify.decide import Elsewhere
from ontology_assets.objectify.mapping import Session, read_mapped
from ontology_assets.objectify.states import PARTITION
from resources.lake.base import BATCH_ROWS, Lake


def key_elsewhere(
    spark: Session, lake: Lake, domain: Domain, object_type: ObjectType, *, here: Sequence[str], run: Sequence[str]
) -> Elsewhere:
    """Looks ids up in the source's partitions outside of the chunk `here`: the named ones, or all of the run.

    Reads keys only, some partitions at a time, and only when asked.
    """
    table = domain.mappings[object_type.name].source

    def places(ids: pa.Array, partitions: Sequence[str] | None) -> dict[str, str]:
        chosen = [one for one in (run if partitions is None else partitions) if one not in here]
        found: dict[str, str] = {}
        for chunk in _chunks(chosen, lake.rows(table)):
            rows = read_mapped(spark, lake, domain, object_type, chunk, only=object_type.key)
            kinds = key_types(object_type)
            keys = key_column([(rows[part], kind) for part, kind in zip(object_type.key, kinds, strict=True)])
            hit = pc.is_in(keys, value_set=ids)
            found.update(zip(keys.filter(hit).to_pylist(), rows[PARTITION].filter(hit).to_pylist(), strict=True))
        return found

    return places


def _chunks(partitions: Sequence[str], sizes: dict[str, int]) -> list[list[str]]:
    """The partitions in groups of about BATCH_ROWS rows, so that memory does not grow with the table."""
    chunks: list[list[str]] = []
    room = 0
    for partition in partitions:
        size = sizes.get(partition, 0)
        if not chunks or size > room:
            chunks.append([])
            room = BATCH_ROWS
        chunks[-1].append(partition)
        room -= size
    return chunks
