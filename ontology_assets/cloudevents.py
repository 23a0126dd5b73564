"""Events of the log as CloudEvents 1.0 messages: which field of the envelope becomes which attribute.

The whole log is published, envelopes of materializations included. Of `metadata` only the trace context is taken; the
rest of it (run, file, row), actor and the correlation ids stay in the log, where `ce_domain` and `ce_position` find
them: on a year of data they would add a third to the topic.
"""

from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.tracing import traceparents
from resources.topic.base import PUBLISHED

ATTRIBUTES = {
    "key": "aggregate_id",
    "ce_id": "event_id",
    "ce_type": "event_type",
    "ce_time": "occurred_at",
    "ce_aggregatetype": "aggregate_type",
    "ce_branch": "branch",
    "ce_domain": "domain",
    "ce_position": "position",
    "ce_schemaversion": "schema_version",
    "ce_sequence": "sequence_number",
    "ce_statehash": "state_hash",
    "data": "data",
}
"""Attribute of the message -> field of the envelope."""
INT64_DIGITS = 19


def messages(events: pa.RecordBatch) -> pa.RecordBatch:
    """Events (columns of the envelope) as messages (schema `PUBLISHED`), one each, in the same order."""
    source = pc.binary_join_element_wise("/domains", events.column("domain"), "branches", events.column("branch"), "/")
    made = {"ce_source": source, "ce_traceparent": traceparents(events)}
    columns = [
        made[name] if name in made else events.column(ATTRIBUTES[name]).cast(PUBLISHED.field(name).type)
        for name in PUBLISHED.names
    ]
    return pa.RecordBatch.from_arrays(columns, schema=PUBLISHED)


def time_text(moment: datetime) -> str:
    """RFC 3339, of a time in UTC."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def event_document(message: dict[str, Any]) -> dict[str, Any]:
    """A message (a row of `MESSAGES`) in the CloudEvents JSON format, for orjson; what an event has not is left out.

    CloudEvents' Integer ends at 2^31, so `position` and `sequence` are texts, as wide as an int64: they sort as numbers
    do, which CloudEvents asks of `sequence`.
    """
    found: dict[str, Any] = {
        name.removeprefix("ce_"): value
        for name, value in message.items()
        if name.startswith("ce_") and value is not None
    }
    found["time"] = time_text(found["time"])
    for name in ("position", "sequence"):
        found[name] = f"{found[name]:0{INT64_DIGITS}d}"
    return {**found, "partitionkey": message["key"], "data": orjson.Fragment(message["data"])}
