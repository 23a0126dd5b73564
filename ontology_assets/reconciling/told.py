"""The envelopes of an asset against what Dagster remembers of its runs: versions, counts, positions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ontology_assets.events.heads import AssetVersion
from ontology_assets.reconciling.difference import SHOWN, Difference, Kind
from ontology_assets.reconciling.ledgers import Ledgers
from ontology_assets.reconciling.subjects import Subject
from resources.run_records import Materialized
from transforms.digests import combined_version

TELL = "`spice reconcile --repair` tells Dagster of it."


@dataclass
class ToldCheck:
    """Of one asset. `envelopes` were read before `unfinished`, the runs that had not ended, and those before `told`: so
    a run that has ended has told all it had to tell. `at_work`: such runs as have still to tell of an envelope.
    """

    ledgers: Ledgers
    subject: Subject
    envelopes: Mapping[str, AssetVersion]
    unfinished: frozenset[str]
    told: Mapping[str, Materialized]
    at_work: set[str] = field(default_factory=set)

    def differences(self) -> Iterator[Difference]:
        for partition, envelope in self.envelopes.items():
            yield from self._envelope(partition, envelope, self.told.get(partition))
        for partition, one in self.told.items():
            if partition not in self.envelopes and _version(one, partition):
                yield from self._without_envelope(partition, one)
            yield from self._positions(partition, one)

    def _envelope(self, partition: str, envelope: AssetVersion, told: Materialized | None) -> Iterator[Difference]:
        if told is not None and not _version(told, partition):
            return  # a run that found nothing of this partition
        if told is not None and names(told, partition, envelope.data_version):
            rows = self.subject.shown_rows(partition, envelope)
            if rows is not None and rows != told.rows:
                detail = f"it shows {told.rows} rows, the envelope (event {envelope.position:,}) says {rows:,}."
                yield self._mendable(Kind.TOLD_ROWS, partition, detail)
            return
        (run,) = self.ledgers.runs_of([envelope.position])
        if run in self.unfinished:
            self.at_work.add(run)
            return
        if told is not None and not self._said(partition, told):
            # A run may have begun, appended and told of it since the envelopes were read.
            if not self._said_by_now(partition, told):
                yield self._unknown(partition, f"it names version {_version(told, partition)}.")
            return
        since = f"event {envelope.position:,} says version {envelope.data_version[:SHOWN]}, and its run has ended"
        last = "Dagster knows of none" if told is None else f"the latest is version {_version(told, partition)}"
        yield self._mendable(Kind.NOT_TOLD, partition, f"{since}; {last}.")

    def _without_envelope(self, partition: str, told: Materialized) -> Iterator[Difference]:
        if not self._said_by_now(partition, told):
            yield self._unknown(partition, f"it names version {_version(told, partition)}; the log has none at all.")

    def _positions(self, partition: str, told: Materialized) -> Iterator[Difference]:
        if told.first is None or told.last is None:
            return
        end = self.ledgers.log.end().position
        if told.last > end:
            yield self._unknown(
                partition, f"it names positions {told.first:,} to {told.last:,}; the log ends at {end:,}."
            )
            return
        runs = set(self.ledgers.runs_of(sorted({told.first, told.last})))
        if runs != {told.run_id}:
            others = ", ".join(run[:SHOWN] or "no run" for run in sorted(runs - {told.run_id}))
            detail = f"its run names positions {told.first:,} to {told.last:,}, which are of {others}."
            yield self._unknown(partition, detail)

    def _said_by_now(self, partition: str, told: Materialized) -> bool:
        self.ledgers.heads.catch_up()
        return self._said(partition, told)

    def _said(self, partition: str, told: Materialized) -> bool:
        said = self.ledgers.versions_said(self.subject.asset, partition)
        return any(names(told, partition, version) for version in said)

    def _mendable(self, kind: Kind, partition: str, detail: str) -> Difference:
        return Difference(kind, self.subject.asset, partition, detail, TELL, can_be_mended=True)

    def _unknown(self, partition: str, detail: str) -> Difference:
        advice = (
            "The log or Dagster's records were put back from another copy. Bring back those that belong together; or, "
            f"if this log is to stay, run the job {self.ledgers.domain.name}: what it lacks is decided and told again."
        )
        return Difference(Kind.UNKNOWN_TO_THE_LOG, self.subject.asset, partition, detail, advice)


def names(told: Materialized, partition: str, version: str) -> bool:
    """Whether the materialization is of this data version."""
    return version.startswith(told.version) if told.version else told.combined == combined_version({partition: version})


def _version(told: Materialized, partition: str) -> str:
    """What it names, "" where it names none: a run over many partitions combines their versions."""
    return told.version or ("" if partition else told.combined[:SHOWN])
