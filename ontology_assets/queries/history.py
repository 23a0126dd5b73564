"""Events as JSON documents: the envelope, with `data` and `metadata` parsed. Used by history and by the log's tail."""

from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pyarrow as pa

from ontology_assets.queries.objects import Document

ENVELOPE = (
    "event_id",
    "event_type",
    "domain",
    "branch",
    "aggregate_type",
    "aggregate_id",
    "sequence_number",
    "occurred_at",
    "recorded_at",
    "actor",
    "command_id",
    "correlation_id",
    "causation_id",
    "schema_version",
    "data",
    "metadata",
    "state_hash",
    "position",
    "bucket",
    "batch_id",
)


def event_documents(events: pa.Table | pa.RecordBatch) -> Iterator[Document]:
    """One document per row, in order."""
    for row in events.select(list(ENVELOPE)).to_pylist():
        document: Document = dict(row)
        for name in ("occurred_at", "recorded_at"):
            document[name] = None if document[name] is None else utc_text(document[name])
        for name in ("data", "metadata"):
            document[name] = None if document[name] is None else orjson.loads(document[name])
        yield document


def utc_text(moment: datetime) -> str:
    """As times stand in documents: UTC with six decimals and Z."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
