"""A read model against its log: the digest of each bucket, of what queries read and of what the events say.

Both sides are of one position. The model's is computed from its rows, the log's by folding whole histories through the
function that the projection itself uses. The hashes that rows are stored with, and the digest that is kept
with each transaction, have to be the same too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ontology_assets.events.histories import WholeHistories
from ontology_assets.projections.digest import digest_text
from ontology_assets.projections.documents import WordsOf
from ontology_assets.projections.proof import recompute
from ontology_assets.projections.skips import fold_whole
from resources.read_model.base import BUCKETS, BucketDigest, Changes, ReadModelWriter
from resources.read_model.digest_sums import DigestSums
from resources.read_model.query import DomainLayout

EMPTY = BucketDigest(0, (0, 0, 0, 0))
ALL_BUCKETS = tuple(range(BUCKETS))
Digests = Mapping[int, BucketDigest]


@dataclass(frozen=True)
class BucketComparison:
    """`log`, `model` and the hashes or sums `kept` with it, at one position. `documents` counts tombstones as well."""

    bucket: int
    log: BucketDigest
    model: BucketDigest
    kept: BucketDigest

    @property
    def equal(self) -> bool:
        return self.log == self.model == self.kept

    @property
    def log_text(self) -> str:
        return digest_text({self.bucket: self.log})

    @property
    def model_text(self) -> str:
        """Of the rows; of what is kept with them, where only that differs."""
        return digest_text({self.bucket: self.kept if self.model == self.log else self.model})


@dataclass(frozen=True)
class Comparison:
    """Of one domain's part of a read model. `history` names the log up to `position`, None for an empty one."""

    domain: str
    position: int
    history: str | None
    buckets: tuple[BucketComparison, ...]

    @property
    def different(self) -> list[int]:
        return [one.bucket for one in self.buckets if not one.equal]


def log_content(
    histories: WholeHistories,
    layout: DomainLayout,
    bucket: int,
    position: int,
    words_of: WordsOf | None = None,
    *,
    values: bool = True,
) -> Iterator[Changes]:
    """What the events 1..`position` make of a bucket, part by part; without `values` their hashes only."""
    for batch in histories.of_bucket(bucket, position):
        yield fold_whole(batch, layout, words_of, values=values)


def log_digest(
    histories: WholeHistories, layout: DomainLayout, buckets: Iterable[int], position: int
) -> dict[int, BucketDigest]:
    """What the events 1..`position` make of these buckets, read whole."""
    return _together(digest_of(log_content(histories, layout, bucket, position, values=False)) for bucket in buckets)


def digest_of(content: Iterable[Changes]) -> dict[int, BucketDigest]:
    sums = DigestSums()
    for changes in content:
        add_to(sums, changes)
    return sums.buckets()


def add_to(sums: DigestSums, changes: Changes) -> None:
    for part in [*changes.live, *changes.gone]:
        sums.add(part.buckets, part.hashes)


def compare(
    writer: ReadModelWriter,
    layout: DomainLayout,
    histories: WholeHistories,
    buckets: Iterable[int] = ALL_BUCKETS,
) -> Comparison:
    """Read everything of these buckets, on both sides. Writes go on meanwhile."""
    chosen = tuple(buckets)
    with writer.reading():
        position, history = writer.state().position, writer.history()
        kept = [writer.stored_digest(chosen), writer.digest()]
        if chosen == ALL_BUCKETS:
            model = recompute(writer, layout)
        else:
            model = _together(recompute(writer, layout, bucket) for bucket in chosen)
    log = log_digest(histories, layout, chosen, position)
    return Comparison(layout.domain, position, history, by_bucket({*chosen, *model, *log}, log, model, kept))


def by_bucket(
    buckets: Iterable[int], log: Digests, model: Digests, kept: Sequence[Digests]
) -> tuple[BucketComparison, ...]:
    """A bucket that one of them does not have is empty there. Of what is `kept` that counts which is not the log's."""
    found = []
    for one in sorted(buckets):
        said = log.get(one, EMPTY)
        differing = (each.get(one, EMPTY) for each in kept)
        along = next((each for each in differing if each != said), said)
        found.append(BucketComparison(one, said, model.get(one, EMPTY), along))
    return tuple(found)


def _together(digests: Iterable[dict[int, BucketDigest]]) -> dict[int, BucketDigest]:
    total: dict[int, BucketDigest] = {}
    for found in digests:
        for bucket, more in found.items():
            total[bucket] = total.get(bucket, EMPTY) + more
    return total
