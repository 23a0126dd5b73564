"""The reconciler: a domain's tables, its log's envelopes and Dagster's materializations agree, or it says where not.

A run writes a table, appends the envelope, then tells Dagster. It may die between any two, and each of the three may be
put back from an older copy. What a run has died before is done for it; what somebody put back stays told, with what to
do. What a run is at work on is no difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ontology_assets.events.heads import AssetVersion
from ontology_assets.materializations import EVENTS_SEALED, publish
from ontology_assets.model.code_version import code_version
from ontology_assets.model.layout import upstream_of
from ontology_assets.reconciling.difference import Difference, Kind, lines
from ontology_assets.reconciling.ledgers import Ledgers
from ontology_assets.reconciling.subjects import Subject, committed
from ontology_assets.reconciling.tables import TableCheck
from ontology_assets.reconciling.told import ToldCheck
from resources.errors import SpiceError
from resources.locks import exclusive
from resources.run_records import Told
from transforms.digests import combined_version


class NotReconciled(SpiceError):
    """Something differs that can't be mended, or differs still."""

    kind = "spice:not-reconciled"


@dataclass
class Look:
    """What was found. `compared`: how many by party; `at_work`: assets and runs that will still say something."""

    domain: str
    differences: list[Difference] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=lambda: {"tables": 0, "envelopes": 0, "materializations": 0})
    at_work: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Reconciled:
    """`mended`: what was different and is not any more; `after` holds what is."""

    mended: list[Difference]
    after: Look


def look(ledgers: Ledgers) -> Look:
    """Compare all of it. Nothing is changed."""
    found = Look(ledgers.domain.name)
    ledgers.heads.catch_up()
    envelopes = {one.asset: ledgers.heads.asset_versions(one.asset) for one in ledgers.subjects}
    unfinished = ledgers.records.unfinished()
    for subject in ledgers.subjects:
        mine, told = envelopes[subject.asset], ledgers.records.latest(subject.asset)
        found.compared["envelopes"] += len(mine)
        found.compared["materializations"] += len(told)
        if subject.table:
            found.compared["tables"] += 1
            of_table = TableCheck(ledgers, subject).differences()
            found.differences += of_table or []
            found.at_work |= {subject.asset} if of_table is None else set()
        of_records = ToldCheck(ledgers, subject, mine, unfinished, told)
        found.differences += of_records.differences()
        found.at_work |= {f"run {run}" for run in of_records.at_work}
    return found


def repair(ledgers: Ledgers, metadata: Mapping[str, str]) -> Reconciled:
    """Do what runs have died before, in their order: append envelopes, then tell Dagster; then look again.

    `metadata` of the envelopes says who appended them.
    """
    before = look(ledgers)
    for subject in ledgers.subjects:
        _append(ledgers, subject, before.differences, metadata)
    for one in look(ledgers).differences:
        if one.kind in (Kind.NOT_TOLD, Kind.TOLD_ROWS):
            _tell(ledgers, one)
    after = look(ledgers)
    left = {(one.kind, one.asset, one.partition) for one in after.differences}
    mended = [one for one in before.differences if (one.kind, one.asset, one.partition) not in left]
    return Reconciled(mended, after)


def check_reconciled(done: Sequence[Reconciled]) -> None:
    """Raises NotReconciled where something differs still."""
    left = [line for one in done for line in lines(one.after.differences)]
    if left:
        raise NotReconciled("Not reconciled", "\n".join(left), status=500)


def _append(ledgers: Ledgers, subject: Subject, differences: Sequence[Difference], metadata: Mapping[str, str]) -> None:
    mine = [one for one in differences if one.asset == subject.asset]
    due = {one.partition for one in mine if one.kind is Kind.NO_ENVELOPE and one.can_be_mended}
    if not due or any(one.kind is Kind.UNKNOWN_TO_THE_LOG for one in mine):
        return  # of a log that was put back nobody knows which table belongs to it
    with exclusive(ledgers.locks, subject.asset, holder="spice reconcile"):
        due &= {one.partition for one in TableCheck(ledgers, subject).seen() if one.kind is Kind.NO_ENVELOPE}
        there = committed(subject, ledgers.lake, ledgers.log)
        counts = subject.counts[0]
        publish(
            ledgers.log,
            ledgers.heads,
            subject.asset,
            {name: (there[name].version, {counts: there[name].rows}) for name in due},
            subject.event_type,
            [] if subject.event_type == EVENTS_SEALED else upstream_of(ledgers.domain, subject.asset),
            {**metadata, "code_version": code_version(ledgers.domain, subject.asset)},
        )


def _tell(ledgers: Ledgers, difference: Difference) -> None:
    subject = next(one for one in ledgers.subjects if one.asset == difference.asset)
    envelope = ledgers.heads.asset_versions(subject.asset)[difference.partition]
    ledgers.records.tell(_told(subject, difference.partition, envelope, ledgers.runs_of([envelope.position])[0]))


def _told(subject: Subject, partition: str, envelope: AssetVersion, run: str) -> Told:
    return Told(
        asset=subject.asset,
        partition=partition,
        version=envelope.data_version,
        combined=combined_version({partition: envelope.data_version}),
        rows=subject.shown_rows(partition, envelope),
        description=f"Told by reconcile: event {envelope.position:,} of the log says so; its run did not.",
        about={"envelope": envelope.event_id, "envelope_position": envelope.position, "envelope_run": run or "none"},
    )
