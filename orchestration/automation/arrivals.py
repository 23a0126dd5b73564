"""The sensor of arrivals: a source file that is new or has changed is ingested into its raw table, once.

Whether a file is ingested is answered by the raw table, whose commit names the file's hash, and by the newest run that
was requested for it; the cursor saves hashing again and says what was done when that run is pruned. A file counts as
there when it is the same in two ticks: one that is still being written is left alone. A run that failed is requested
again under another key, three times in all; then the file has to change.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from ontology_assets.model.definitions import Domain
from orchestration.components.partitions import RANGE_END, RANGE_START, partitions_of
from resources.errors import SpiceError
from resources.home import Home
from resources.lake.local import LocalLake
from resources.sources import find_source

SECONDS = 30
OF_TAG, FILE_TAG = "spice/arrival_of", "spice/arrival"
"""On a run: whose file it ingests (`<domain>/<dataset>`), and the file's sha256."""
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Known:
    """What the cursor knows of a file: how it looked in the last tick, its hash once that stayed so, what was done."""

    looks: str = ""
    sha256: str = ""
    done: str = ""


@dataclass(frozen=True)
class SeenRun:
    """A run that was requested for a dataset's file."""

    run_id: str
    status: dg.DagsterRunStatus
    sha256: str


@dataclass(frozen=True)
class Decision:
    """`attempt` > 0: request a run, the how-manieth; `done`: the file is ingested."""

    note: str
    attempt: int = 0
    done: bool = False


def decide(sha256: str, *, ingested: str, done: str, runs: Sequence[SeenRun]) -> Decision:
    """What to do about a file. `ingested`: hash that the raw table names; `runs`: of its dataset, newest first."""
    newest = runs[0] if runs and runs[0].sha256 == sha256 else None
    if newest is not None and newest.status in NOT_FINISHED_STATUSES:
        return Decision(f"run {newest.run_id} is under way")
    known = sha256 == ingested or (not runs and sha256 == done)  # a run of another file is newer than what was done
    if newest.status == dg.DagsterRunStatus.SUCCESS if newest is not None else known:
        return Decision("ingested", done=True)
    attempts = 0
    for run in runs:
        if run.sha256 != sha256 or run.status == dg.DagsterRunStatus.SUCCESS:
            break
        attempts += 1
    if newest is not None and newest.status == dg.DagsterRunStatus.CANCELED:
        return Decision(f"run {newest.run_id} was canceled; change the file, or run it by hand")
    if attempts >= MOST_ATTEMPTS:
        return Decision(f"failed {attempts} times, last in run {newest.run_id if newest else ''}; change the file")
    return Decision("requested", attempt=attempts + 1)


def arrival_sensor(
    domain: Domain, job: UnresolvedAssetJobDefinition, home: Home | None = None
) -> dg.SensorDefinition | None:
    """None where no arrivals are declared; `home` is by default that of the environment at each tick."""
    if not domain.automation.arrivals:
        return None

    @dg.sensor(
        name=f"{domain.name}_arrivals",
        job=job,
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Ingests new and changed files of {', '.join(domain.automation.arrivals)} into their raw tables, "
        "once each. Declared in domain.yaml: `automation.arrivals`.",
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        place, cursor = home or Home.resolve(), _read(context.cursor)
        requests, notes, known = list[dg.RunRequest](), list[str](), dict[str, Known]()
        for name in domain.automation.arrivals:
            known[name], decision, runs = _look(context.instance, place, domain, name, cursor.get(name, Known()))
            notes.append(f"{name}: {decision.note}")
            if decision.attempt:
                requests.append(_request(domain, name, known[name].sha256, decision.attempt, runs))
        text = json.dumps({name: asdict(one) for name, one in known.items()})
        if requests:
            return dg.SensorResult(run_requests=requests, cursor=text)
        return dg.SensorResult(skip_reason="; ".join(notes), cursor=text)

    return arrivals


def _look(
    instance: dg.DagsterInstance, home: Home, domain: Domain, name: str, before: Known
) -> tuple[Known, Decision, list[SeenRun]]:
    dataset = domain.datasets[name]
    folder = dataset.source.folder if dataset.source else domain.name
    looks = _looks(home.sources / folder / dataset.file)
    if looks is None:
        return Known(done=before.done), Decision("no file"), []
    if looks != before.looks:
        return Known(looks, done=before.done), Decision("new or changed; waiting whether it stays so"), []
    sha256 = before.sha256
    if not sha256:
        try:
            sha256 = find_source(home.sources, folder, dataset.file).sha256
        except SpiceError as fault:
            return before, Decision(fault.detail), []
    ingested = LocalLake(home.lake).state(f"raw/{name}").metadata.get("source_sha256", "")
    runs = _runs(instance, f"{domain.name}/{name}")
    decision = decide(sha256, ingested=ingested, done=before.done, runs=runs)
    return Known(looks, sha256, sha256 if decision.done else before.done), decision, runs


def _looks(file: Path) -> str | None:
    """What changes when a file is written or replaced."""
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return f"{facts.st_mtime_ns} {facts.st_size} {facts.st_ino}"


def _runs(instance: dg.DagsterInstance, subject: str) -> list[SeenRun]:
    found = instance.get_runs(dg.RunsFilter(tags={OF_TAG: subject}), limit=MOST_ATTEMPTS + 1)
    return [SeenRun(run.run_id, run.status, run.tags.get(FILE_TAG, "")) for run in found]


def _request(domain: Domain, name: str, sha256: str, attempt: int, runs: Sequence[SeenRun]) -> dg.RunRequest:
    """The run key names the run before it, so that a file that comes back is another arrival."""
    subject, before = f"{domain.name}/{name}", runs[0].run_id if runs else "none"
    return dg.RunRequest(
        run_key=f"arrival:{subject}:{sha256[:16]}:after-{before}:attempt-{attempt}",
        asset_selection=[dg.AssetKey(["raw", name])],
        tags={OF_TAG: subject, FILE_TAG: sha256, "spice/domain": domain.name, **_whole_range(domain, name)},
    )


def _whole_range(domain: Domain, name: str) -> dict[str, str]:
    """Of which partitions a file has rows is known when it is read; those that stay the same are left alone then."""
    definition = partitions_of(domain.datasets[name].partition)
    if definition is None:
        return {}
    keys = definition.get_partition_keys()
    return {RANGE_START: keys[0], RANGE_END: keys[-1]}


def _read(text: str | None) -> Mapping[str, Known]:
    """What can't be read begins anew: it costs a tick, and requests nothing twice."""
    try:
        document = json.loads(text or "{}")
        return {name: Known(**one) for name, one in document.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
