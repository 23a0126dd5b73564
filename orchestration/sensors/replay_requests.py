"""The sensor that carries out requested replays: it reads the stream of requests in the logs, launches the runs of each
and appends its outcome.

What is known of a run is asked of Dagster each time, by tags, so nothing is launched twice, whatever becomes of the
cursor. A run that failed is tried again under the next attempt's key; a key is never used again.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.opening import open_log
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.replay.replay import Replayed
from ontology_assets.projections.replay.requests import Outcome, ReplayRequest, append, request_of
from ontology_assets.projections.replay.selection import months_touched, runs_of
from ontology_assets.projections.replay.stream import Cursor, read_on
from orchestration.components.partitions import RANGE_END, RANGE_START
from orchestration.components.replay_assets import asset_name, job_name
from orchestration.reports import asset_op, reports
from resources.errors import SpiceError
from resources.home import Home

REQUEST_TAG, PART_TAG = "spice/replay", "spice/replay_part"
"""On a run: the request's id, and which part of it (its first partition)."""
MOST_ATTEMPTS = 3
MOST_RUNS = 20
"""Requested in one tick."""
SECONDS = 10
Part = tuple[str, str]
"""First and last partition of a run."""


@dataclass(frozen=True)
class Seen:
    """One run of a part, as Dagster has it."""

    run_id: str
    status: dg.DagsterRunStatus


@dataclass(frozen=True)
class Plan:
    """`launch`: parts with the number of the attempt. `done`: run ids, when every part has succeeded. `failed`: why the
    request can't be completed; nothing of it is under way then.
    """

    launch: Sequence[tuple[Part, int]] = ()
    done: Sequence[str] | None = None
    failed: str | None = None
    runs: Sequence[str] = field(default_factory=list)


def plan(parts: Sequence[Part], seen: Mapping[str, Sequence[Seen]]) -> Plan:
    """`seen`: the runs of each part by its first partition, oldest first."""
    launch: list[tuple[Part, int]] = []
    done, reasons, under_way = list[str](), list[str](), False
    for part in parts:
        runs = seen.get(part[0], ())
        good = next((one.run_id for one in runs if one.status == dg.DagsterRunStatus.SUCCESS), None)
        if good is not None:
            done.append(good)
        elif not runs:
            launch.append((part, 1))
        elif runs[-1].status == dg.DagsterRunStatus.NOT_STARTED:
            launch.append((part, len(runs)))  # the daemon died before it was submitted: the same key takes it up
        elif runs[-1].status == dg.DagsterRunStatus.CANCELED:
            reasons.append(f"run {runs[-1].run_id} was canceled")
        elif runs[-1].status != dg.DagsterRunStatus.FAILURE:
            under_way = True
        elif len(runs) < MOST_ATTEMPTS:
            launch.append((part, len(runs) + 1))
        else:
            reasons.append(f"run {runs[-1].run_id} failed, the {MOST_ATTEMPTS}rd attempt at {part[0]} to {part[1]}")
    runs_of_all = [one.run_id for part in parts for one in seen.get(part[0], ())]
    if reasons:
        return Plan(failed=None if under_way else "; ".join(reasons), runs=runs_of_all)
    return Plan(launch, done if len(done) == len(parts) else None, runs=runs_of_all)


def replay_request_definitions(
    domains: Sequence[Domain], jobs: Sequence[Any], home: Home | None = None
) -> dg.Definitions:
    """The sensor, which launches `jobs`; `home` is by default that of the environment at each tick."""
    if not domains:
        return dg.Definitions()

    @dg.sensor(
        name="replay_requests",
        jobs=jobs,
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Carries out the replays that were requested as events (`spice replay --request`, or HTTP): "
        "launches a run for each bucket or for each month, whichever are fewer, and appends the outcome.",
    )
    def replay_requests(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        place = home or Home.resolve()
        cursors, launched, notes = _cursors(context.cursor), list[dg.RunRequest](), list[str]()
        for domain in domains:
            log = open_log(place, domain.name)
            now = read_on(log, cursors.get(domain.name, Cursor()))
            cursors[domain.name] = now
            for request_id, state in now.waiting.items():
                note, runs = _look_after(context.instance, place, log, domains, request_id, state)
                launched += runs
                notes.append(f"{request_id}: {note}")
        cursor = json.dumps({name: one.document() for name, one in cursors.items()})
        if launched:
            return dg.SensorResult(run_requests=launched[:MOST_RUNS], cursor=cursor)
        return dg.SensorResult(skip_reason="; ".join(notes) or "no replay is requested", cursor=cursor)

    return dg.Definitions(sensors=[replay_requests])


def _cursors(text: str | None) -> dict[str, Cursor]:
    """Of each domain. What can't be read begins anew: it costs time, and launches nothing twice."""
    try:
        document = json.loads(text or "{}")
    except ValueError:
        return {}
    return {name: Cursor.read(one) for name, one in document.items()} if isinstance(document, dict) else {}


def _look_after(  # noqa: PLR0917 - one call
    instance: dg.DagsterInstance,
    home: Home,
    log: EventLog,
    domains: Sequence[Domain],
    request_id: str,
    state: Mapping[str, Any],
) -> tuple[str, list[dg.RunRequest]]:
    """What is to be said of a request, and the runs to launch now. Its outcome is appended here."""
    try:
        wanted = request_of(state, domains)
    except SpiceError as fault:  # the definitions have changed since it was asked for
        _settle(home, log, Outcome(request_id, [], Replayed().document(), fault.text()))
        return "failed", []
    parts = runs_of(wanted.selection.buckets, months_touched(wanted.selection.days[0]))
    planned = plan(parts, _seen(instance, request_id))
    if planned.done is not None:
        done = Replayed()
        for run_id in planned.done:
            done.add(_report(instance, run_id, wanted))
        _settle(home, log, Outcome(request_id, planned.done, done.document(), None))
        return "completed", []
    if planned.failed is not None:
        _settle(home, log, Outcome(request_id, planned.runs, Replayed().document(), planned.failed))
        return "failed", []
    return "under way", [run_request(wanted, part, attempt) for part, attempt in planned.launch]


def run_request(wanted: ReplayRequest, part: Part, attempt: int) -> dg.RunRequest:
    """The run of one part."""
    ((first, last),) = wanted.selection.days
    config = {
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "types": list(wanted.selection.types),
        "domain": wanted.domain,
    }
    return dg.RunRequest(
        run_key=f"replay:{wanted.domain}:{wanted.id}:{part[0]}:attempt-{attempt}",
        job_name=job_name(wanted.projection),
        run_config={"ops": {asset_op(asset_name(wanted.projection)): {"config": config}}},
        tags={
            RANGE_START: part[0],
            RANGE_END: part[1],
            REQUEST_TAG: wanted.id,
            PART_TAG: part[0],
            "spice/domain": wanted.domain,
        },
    )


def _seen(instance: dg.DagsterInstance, request_id: str) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for run in reversed(instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: request_id}))):
        found.setdefault(run.tags[PART_TAG], []).append(Seen(run.run_id, run.status))
    return found


def _report(instance: dg.DagsterInstance, run_id: str, wanted: ReplayRequest) -> Mapping[str, Any]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    events = [one.event_log_entry.dagster_event for one in records]
    return reports([event for event in events if event is not None])[asset_name(wanted.projection)]  # type: ignore[no-any-return]


def _settle(home: Home, log: EventLog, outcome: Outcome) -> None:
    with closing(Heads(home.heads / f"{log.domain}.sqlite", log)) as heads:
        append(log, heads, outcome)
