"""A table's newest commit against the envelopes that tell of it, and against its own files."""

from dataclasses import dataclass

from ontology_assets.events.errors import SealMismatch
from ontology_assets.events.heads import AssetVersion
from ontology_assets.materializations import EVENTS_SEALED
from ontology_assets.reconciling.difference import SHOWN, Difference, Kind
from ontology_assets.reconciling.ledgers import Ledgers
from ontology_assets.reconciling.subjects import Committed, Subject, committed, total
from resources.lake.base import LakeDamagedError
from resources.locks import Locked, exclusive

MAKE_AGAIN = "Remove that folder and run the job {job}: the table is made again, objects and events are not touched."
RUN_AGAIN = "Run the job {job}{partition}: the table is made again, objects and events are not touched."


@dataclass(frozen=True)
class TableCheck:
    """Of the table of one asset."""

    ledgers: Ledgers
    subject: Subject

    def differences(self) -> list[Difference] | None:
        """Only what is there as well while nobody is between commit and envelope; None while somebody is."""
        if not self.seen():
            return []
        try:
            with exclusive(self.ledgers.locks, self.subject.asset, holder="spice reconcile", wait_seconds=0):
                self.ledgers.heads.catch_up()
                return self.seen()
        except Locked:
            return None

    def seen(self) -> list[Difference]:
        """As it looks now, up to the heads."""
        subject, lake = self.subject, self.ledgers.lake
        envelopes = self.ledgers.heads.asset_versions(subject.asset)
        try:
            there = committed(subject, lake, self.ledgers.log)
            held, due = lake.count(subject.table), sum(one.rows for one in there.values())
        except (LakeDamagedError, SealMismatch) as fault:
            return [Difference(Kind.TABLE_BROKEN, subject.asset, "", fault.text(), "")]
        found = []
        if held != due:
            said = f"{lake.path(subject.table)} has files of {held:,} rows, its newest commit says {due:,}."
            found.append(Difference(Kind.TABLE_ROWS, subject.asset, "", said, self._advice(MAKE_AGAIN)))
        for partition in sorted(there.keys() | envelopes.keys()):
            found += self._partition(partition, there.get(partition), envelopes.get(partition))
        return found

    def _partition(self, partition: str, table: Committed | None, envelope: AssetVersion | None) -> list[Difference]:
        asset = self.subject.asset
        if table is not None and envelope is not None and table.version == envelope.data_version:
            said = total(envelope, self.subject.counts)
            if said == table.rows:
                return []
            detail = f"its commit has {table.rows:,} rows, the envelope (event {envelope.position:,}) says {said:,}."
            return [Difference(Kind.TABLE_ROWS, asset, partition, detail, self._advice(MAKE_AGAIN))]
        if table is None or self._is_older(partition, table, envelope):
            holds = "nothing" if table is None else f"version {table.version[:SHOWN]}, an earlier one"
            now = "" if envelope is None else f"; event {envelope.position:,} says {envelope.data_version[:SHOWN]}"
            detail = f"the table holds {holds}{now}."
            return [Difference(Kind.OLD_TABLE, asset, partition, detail, self._advice(RUN_AGAIN, partition))]
        detail = f"the table holds version {table.version[:SHOWN]}, of which the log has no envelope."
        if not self.subject.event_type:
            return [Difference(Kind.NO_ENVELOPE, asset, partition, detail, self._advice(RUN_AGAIN, partition))]
        advice = "`spice reconcile --repair` appends it."
        return [Difference(Kind.NO_ENVELOPE, asset, partition, detail, advice, can_be_mended=True)]

    def _is_older(self, partition: str, table: Committed, envelope: AssetVersion | None) -> bool:
        if envelope is None:
            return False
        if self.subject.event_type == EVENTS_SEALED and table.rows < total(envelope, self.subject.counts):
            return True
        return table.version in self.ledgers.versions_said(self.subject.asset, partition)

    def _advice(self, text: str, partition: str = "") -> str:
        return text.format(job=self.ledgers.domain.name, partition=f" for {partition}" if partition else "")
