"""Whether a store was fed from the history that the log has now.

Log ids, positions and even event ids can agree between a log and an older copy of it that went on by itself; the
chain value can't, for it covers every record before it. So each batch names its history (the record that holds its last
event, and that record's chain value), and a sink keeps the name beside its position, in the same transaction.
"""

import pyarrow as pa

from ontology_assets.events.envelope import HISTORY
from ontology_assets.followers.errors import AnotherHistory
from ontology_assets.followers.sink import FollowedLog, Sink


def history_of(batch: pa.RecordBatch) -> str | None:
    """The name that `EventLog.events` gave the batch; None for one that comes from elsewhere."""
    named = (batch.schema.metadata or {}).get(HISTORY)
    return None if named is None else named.decode()


def another_history(log: FollowedLog, sink: Sink) -> AnotherHistory | None:
    """Why `sink` must not go on from this log, asked of both as they are now; None if it may.

    The sink is read first: who follows just now may move it on meanwhile, and the log only grows.
    """
    position, history = sink.position(), sink.history()
    if position == 0:
        return None
    # Without a name it was written before names were kept; then only the position can show it.
    if log.holds(history) if history is not None else position <= log.end().position:
        return None
    record = None if history is None else int(history.partition("/")[0])
    return AnotherHistory(log.domain, sink.name, position=position, end=log.end().position, record=record)


def refuse_another_history(log: FollowedLog, sink: Sink) -> None:
    """Raises AnotherHistory."""
    found = another_history(log, sink)
    if found is not None:
        raise found
