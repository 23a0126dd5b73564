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
            reasons = [*self._version_unknown(partition, one), *self._positions_unknown(one)]
            if reasons:
                yield self._unknown(partition, f"it names {'; '.join(reasons)}.")

    def _envelope(self, partition: str, envelope: AssetVersion, told: Materialized | None) -> Iterator[Difference]:
        """Whether Dagster was told of it: of this version, with its count."""
        if told is not None and not _version(told, partition):
            return  # a run that found nothing of this partition
        if told is not None and names(told, partition, envelope.data_version):
            rows = self.subject.shown_rows(partition, envelope)
            if rows is not None and rows != told.rows:
                detail = f"it shows {told.rows} rows, the envelope (event {envelope.position:,}) says {rows:,}."
                yield self._mendable(Kind.TOLD_ROWS, partition, detail)
            return
        newest = self._newest(partition)
        (run,) = self.ledgers.runs_of([newest.position])
        if run in self.unfinished or newest.event_id != envelope.event_id:
            self.at_work.add(run)
        elif told is None or self._said(partition, told):
            since = f"event {envelope.position:,} says version {envelope.data_version[:SHOWN]}, and its run has ended"
            last = "Dagster knows of none" if told is None else f"the latest is version {_version(told, partition)}"
            yield self._mendable(Kind.NOT_TOLD, partition, f"{since}; {last}.")

    def _newest(self, partition: str) -> AssetVersion:
        """A run may have begun, appended, and told of it, since the envelopes were read."""
        self.ledgers.heads.catch_up()
        return self.ledgers.heads.asset_versions(self.subject.asset)[partition]

    def _version_unknown(self, partition: str, told: Materialized) -> Iterator[str]:
        envelope, version = self.envelopes.get(partition), _version(told, partition)
        if not version or (envelope is not None and names(told, partition, envelope.data_version)):
            return
        self.ledgers.heads.catch_up()
        if not self._said(partition, told):
            yield f"version {version[:SHOWN]}, of which the log has no envelope"

    def _positions_unknown(self, told: Materialized) -> Iterator[str]:
        if told.first is None or told.last is None:
            return
        positions, end = f"positions {told.first:,} to {told.last:,}", self.ledgers.log.end().position
        if told.last > end:
            yield f"{positions}, the log ends at {end:,}"
            return
        runs = set(self.ledgers.runs_of(sorted({told.first, told.last})))
        if runs != {told.run_id}:
            others = ", ".join(run[:SHOWN] or "no run" for run in sorted(runs - {told.run_id}))
            yield f"{positions}, which are of {others}"

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
