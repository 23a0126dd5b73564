"""Events that are void for read models, and the fold of whole histories that leaves them out.

An `EventSkipped` in an object's own history names an earlier event of it, by sequence (docs/decisions/0013). Nothing
else of the log changes: heads, commands, loads and subscribers see both events. In a read model the object is as the
last event before the skip that is not void left it, at the skip's own sequence and position: so the sequence that a
reader is shown is the one that the next command must expect.
"""

from dataclasses import dataclass

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.projections.documents import MAIN, WordsOf, fold
from resources.read_model.base import Changes
from resources.read_model.object_names import ObjectName
from resources.read_model.query import DomainLayout

SKIPPED = "EventSkipped"


@dataclass(frozen=True)
class Skip:
    """What an `EventSkipped` says: the event of this sequence is void for read models."""

    sequence: int
    event_id: str
    reason: str

    def data(self, state: str) -> str:
        """The event's `data`; the state is the object's, unchanged."""
        said = orjson.dumps(vars(self), option=orjson.OPT_SORT_KEYS).decode()
        return f'{{"skips":{said},"state":{state}}}'


def skipped_objects(batch: pa.RecordBatch, layout: DomainLayout) -> frozenset[ObjectName]:
    """The objects of the layout's types of which an event is skipped in the batch."""
    skips = batch.filter(_skips(batch))
    if not skips.num_rows:
        return frozenset()
    named = zip(skips.column("aggregate_type").to_pylist(), skips.column("aggregate_id").to_pylist(), strict=True)
    return frozenset((kind, key) for kind, key in named if layout.type(kind) is not None)


def fold_whole(
    batch: pa.RecordBatch, layout: DomainLayout, words_of: WordsOf | None, *, values: bool = True
) -> Changes:
    """What whole histories make: `batch` has all events of each of its objects, up to its last position."""
    kept = without_skipped(batch)
    if not kept.num_rows:
        return Changes(position=batch.column("position")[-1].as_py())
    return fold(kept, layout, set(), words_of, values=values)


def without_skipped(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Whole histories without the events that are void; a skip stands for the last event before it that is not."""
    is_skip = _skips(batch)
    if not pc.any(is_skip).as_py():
        return batch
    skip = is_skip.to_pylist()
    names = list(zip(batch.column("aggregate_type").to_pylist(), batch.column("aggregate_id").to_pylist(), strict=True))
    sequences = batch.column("sequence_number").to_pylist()
    types, data = batch.column("event_type").to_pylist(), batch.column("data").to_pylist()
    void: dict[ObjectName, set[int | None]] = {}
    for row in pc.indices_nonzero(is_skip).to_pylist():
        void.setdefault(names[row], set()).add(_skipped_by(data[row]))
    last: dict[ObjectName, int] = {}
    kept: list[int] = []
    for row, name in enumerate(names):
        if name not in void:
            kept.append(row)
        elif not skip[row]:
            if sequences[row] not in void[name]:
                last[name] = row
                kept.append(row)
        elif name in last:
            types[row], data[row] = types[last[name]], data[last[name]]
            kept.append(row)
    for column, values in (("event_type", types), ("data", data)):
        at = batch.schema.get_field_index(column)
        batch = batch.set_column(at, batch.schema.field(at), pa.array(values, pa.string()))
    return batch.take(pa.array(kept, pa.int64()))


def _skipped_by(data: str) -> int | None:
    """The sequence that a skip names. One that nobody can read skips nothing: it must not stop all other objects."""
    try:
        sequence = orjson.loads(data)["skips"]["sequence"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return sequence if isinstance(sequence, int) else None


def _skips(batch: pa.RecordBatch) -> pa.Array:
    return pc.and_(pc.equal(batch.column("event_type"), SKIPPED), pc.equal(batch.column("branch"), MAIN))
