"""The sensor that keeps the followers running: each five seconds it looks at their leases and does what is planned.

What to do is decided in `keeper_plan.py`, what a follower's run does in `orchestration/jobs/followers.py`.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG

from ontology_assets.followers.lease import lease_name
from ontology_assets.model.definitions import Domain
from orchestration.jobs.followers import (
    FOLLOWERS,
    LOADED_TAG,
    definitions_hash,
    follower_job,
    job_name,
    loaded_mark,
    stopped,
)
from orchestration.schedules.housekeeping import housekeeping_definitions
from orchestration.sensors.keeper_plan import Plan, Seen, SeenRun, is_at_work, plan, successor_is_due
from resources.clock import utc_now
from resources.home import Home
from resources.registry.base import Registry
from resources.registry.sql import SqliteRegistry

SWEEP = timedelta(seconds=60)
"""How often runs are looked at although all leases are fresh: a run whose successor took over may lie there dead."""
RUNS_LOOKED_AT = 12
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def follower_definitions(domains: Sequence[Domain], home: Home | None = None) -> dg.Definitions:
    """Jobs of the followers, their keeper and the housekeeping of runs; the `runtime` resource comes with the location.

    `home` is where the keeper finds the registry; by default that of the environment at each tick.
    """
    housekeeping = housekeeping_definitions()
    if not domains:
        return housekeeping
    jobs = [follower_job(name, domains) for name in FOLLOWERS]
    return dg.Definitions.merge(housekeeping, dg.Definitions(jobs=jobs, sensors=[keeper(domains, jobs, home)]))


def keeper(domains: Sequence[Domain], jobs: Sequence[dg.JobDefinition], home: Home | None) -> dg.SensorDefinition:
    """The sensor over the followers of `domains`."""
    # Also new for equal definitions: after a reload the former code server lives on for the sake of its runs, 160 MB,
    # and its followers run the code of before.
    loaded = f"{definitions_hash(domains)[:8]}-{uuid4().hex[:8]}"

    @dg.sensor(
        name="follower_keeper",
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keeps a run of each follower (topic, search, graph) at work: looks at their leases each five "
        "seconds, ends a dead run, starts the next, hands over in time. Its ticks say what it found.",
    )
    def follower_keeper(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        # Not by the `runtime` resource: for it Dagster opens the instance at each tick, ten times the work of the rest.
        place = home or Home.resolve()
        registry = SqliteRegistry(place.registry)
        swept_at = _swept_at(context.cursor)
        now = utc_now()
        sweeps = now - swept_at >= SWEEP
        requests, notes = [], []
        for follower in FOLLOWERS:
            planned, run_key = look_after(
                context, place, domains, follower, loaded, registry=registry, sweeps=sweeps, now=now
            )
            notes.append(f"{follower}: {planned.because}")
            if run_key:
                requests.append(dg.RunRequest(run_key, job_name=job_name(follower), tags={LOADED_TAG: loaded}))
        registry.close()
        cursor = json.dumps({"swept_at": (now if sweeps else swept_at).isoformat()})
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=cursor)
        return dg.SensorResult(skip_reason="; ".join(notes), cursor=cursor)

    return follower_keeper


def look_after(
    context: dg.SensorEvaluationContext,
    home: Home,
    domains: Sequence[Domain],
    follower: str,
    loaded: str,
    *,
    registry: Registry,
    sweeps: bool,
    now: datetime,
) -> tuple[Plan, str | None]:
    """Ends the follower's dead runs; returns the plan, and the run key of the run to request if there is one.

    A log that the follower must not go on with (another history) is left out: a run for it would only fail again.
    """
    requested = registry.mark(f"start/{job_name(follower)}")
    loaded_by_it = registry.mark(loaded_mark(follower))
    handed_over = registry.mark(f"hand-over/{job_name(follower)}")
    leases = {domain.name: registry.read(lease_name(domain.name, follower)) for domain in domains}
    seen = Seen(
        now=now,
        leases=[leases[domain.name] for domain in domains],
        runs=None,
        requested_at=None,
        loaded=loaded_by_it.value if loaded_by_it else None,
        handed_over_to=handed_over.value if handed_over else None,
    )
    if not sweeps and is_at_work(seen) and successor_is_due(seen, loaded) is None:
        return Plan(), None  # the instance is not opened for this: it is so in nearly every tick
    instance = context.instance
    pending = requested is not None and not _was_launched(instance, requested.value)
    waiting = [domain for domain in domains if (lease := leases[domain.name]) is None or not lease.is_alive(now)]
    left = stopped(home, waiting, follower)
    planned = plan(
        Seen(
            now=now,
            leases=[lease for name, lease in leases.items() if name not in left],
            runs=_runs(instance, follower),
            requested_at=requested.at if pending and requested else None,
            loaded=seen.loaded,
            handed_over_to=seen.handed_over_to,
        ),
        loaded,
    )
    planned = replace(planned, because="; ".join([planned.because, *left.values()]))
    for run_id in planned.dead:
        _end(instance, run_id)
    if planned.start is None:
        return planned, None
    epoch = max((lease.epoch for lease in seen.leases if lease), default=0)
    run_key = next_run_key(follower, epoch, requested.value if requested else None, now)
    if planned.start == "definitions changed":
        # Once for this loading, whoever is at work then.
        registry.set_mark(f"hand-over/{job_name(follower)}", loaded)
    registry.set_mark(f"start/{job_name(follower)}", run_key)
    return planned, run_key


def next_run_key(follower: str, epoch: int, former: str | None, now: datetime) -> str:
    """A key never used before, since a run consumes its key for ever. The time keeps it so if the registry is lost."""
    attempt = 1
    if former is not None and former.startswith(f"{job_name(follower)}:epoch-{epoch}:attempt-"):
        attempt = int(former.split(":")[2].removeprefix("attempt-")) + 1
    return f"{job_name(follower)}:epoch-{epoch}:attempt-{attempt}:{now:%Y%m%dT%H%M%S}"


def _swept_at(cursor: str | None) -> datetime:
    """Long ago where the cursor can't be read: a sweep costs a second, an error would come back with every tick."""
    try:
        swept_at = datetime.fromisoformat(json.loads(cursor or "{}")["swept_at"])
    except (ValueError, KeyError, TypeError):
        return NEVER
    return swept_at if swept_at.tzinfo is not None else NEVER


def _was_launched(instance: dg.DagsterInstance, run_key: str) -> bool:
    return bool(instance.get_run_ids(dg.RunsFilter(tags={RUN_KEY_TAG: run_key}), limit=1))


def _runs(instance: dg.DagsterInstance, follower: str) -> list[SeenRun]:
    records = instance.get_run_records(dg.RunsFilter(job_name=job_name(follower)), limit=RUNS_LOOKED_AT)
    return [
        SeenRun(
            run_id=record.dagster_run.run_id,
            queued=record.dagster_run.status in {dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED},
            since=_time(record.start_time) or record.create_timestamp.replace(tzinfo=UTC),
            ended_at=(_time(record.end_time) or record.update_timestamp.replace(tzinfo=UTC))
            if record.dagster_run.is_finished
            else None,
            failed=record.dagster_run.status == dg.DagsterRunStatus.FAILURE,
        )
        for record in records
    ]


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _end(instance: dg.DagsterInstance, run_id: str) -> None:
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message="Its lease is lost, and it was told to stop.")
    else:
        instance.report_run_failed(run, message="lease lost: the process that followed the log is gone.")
