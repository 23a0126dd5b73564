"""W3C trace contexts of events: of a command the one that it came with, of a run the one that its run id gives.

A run id is a uuid, 16 bytes like a trace id, so all events of a run are one trace, named by the run.
"""

import re
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from ontology_assets.events.envelope import TRACEPARENT

_W3C = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# `metadata` is canonical JSON, so a quote inside a text is escaped and these can't be met there.
_GIVEN = rf'"{TRACEPARENT}":"(?P<given>[0-9a-f]{{2}}-[0-9a-f]{{32}}-[0-9a-f]{{16}}-[0-9a-f]{{2}})"'
_RUN = r'"run_id":"(?P<run>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'


def read_traceparent(header: str | None) -> str | None:
    """The header `traceparent` if it is one of version 00, else None: W3C asks to go on without a broken one."""
    text = (header or "").strip()
    return text if text.startswith("00-") and _W3C.fullmatch(text) else None


def traceparents(events: pa.RecordBatch) -> pa.StringArray:
    """Of each event (columns `metadata` and `batch_id` of the envelope), null where it came with none."""
    metadata = events.column("metadata")
    given = pc.struct_field(pc.extract_regex(metadata, _GIVEN), "given")
    run = pc.struct_field(pc.extract_regex(metadata, _RUN), "run")
    of_run = pc.binary_join_element_wise(run, events.column("batch_id"), "/").dictionary_encode()
    contexts = pa.array([_of_run(*pair.split("/", 1)) for pair in of_run.dictionary.to_pylist()], pa.string())
    return pc.coalesce(given, contexts.take(of_run.indices))


def _of_run(run_id: str, batch_id: str) -> str:
    """The parent is the batch. "00": that anybody recorded a trace is not known."""
    return f"00-{run_id.replace('-', '')}-{sha256(batch_id.encode()).hexdigest()[:16]}-00"
