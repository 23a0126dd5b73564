"""The digest of a domain's log by bucket, kept in the registry: computed by a full comparison, moved on by quick ones.

It is about the log alone, whatever generation was compared with it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson

from ontology_assets.projections.comparison import ALL_BUCKETS, Comparison
from ontology_assets.projections.rebuild.place import Place, Source
from resources.read_model.base import BucketDigest


@dataclass(frozen=True)
class LogDigest:
    """What the events 1..`position` make, by bucket. `history` names the log up to there, `code` what folds it."""

    position: int
    history: str | None
    code: str
    buckets: Mapping[int, BucketDigest]

    def text(self) -> str:
        return orjson.dumps(asdict(self), option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def parse(cls, text: str) -> "LogDigest":
        given = orjson.loads(text)
        buckets = {int(one): BucketDigest(d["documents"], tuple(d["lanes"])) for one, d in given["buckets"].items()}
        return cls(given["position"], given["history"], given["code"], buckets)


def remember(place: Place, found: Comparison) -> None:
    """Keep the log's side of a comparison of all buckets."""
    if len(found.buckets) == len(ALL_BUCKETS):
        buckets = {one.bucket: one.log for one in found.buckets}
        kept = LogDigest(found.position, found.history, place.code, buckets)
        place.registry.set_mark(_key(place, found.domain), kept.text())


def recall(place: Place, source: Source) -> LogDigest | None:
    """What is kept, if it is of this log as it is now and of these definitions."""
    mark = place.registry.mark(_key(place, source.domain.name))
    known = None if mark is None else LogDigest.parse(mark.value)
    if known is None or known.code != place.code:
        return None
    return known if known.history is None or source.log.holds(known.history) else None


def _key(place: Place, domain: str) -> str:
    return f"log_digest/{place.projection}/{domain}"
