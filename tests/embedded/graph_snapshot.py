"""The whole asset graph as text that a person can read and a diff can show; made anew by

    python -m tests.embedded.graph_snapshot --write

Two graphs: the location as it is, and the small second domain alone (months, links between partitions, a pipeline).

Left out because a change of them is no change of the graph: descriptions and labels (wording; that each asset has one
is point 6 of test_dagster_points.py), values of code versions (hashes that follow any edit of a definition; what
changes them is tests/unit/definitions/test_code_version.py), values of definition metadata (paths and lines of files;
their names are kept), and what a check's severity turns out to be in a run (test_red_checks.py: the specification
has only `blocking`).
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from ontology_assets.model.loading import load_domain
from orchestration.definitions import build_defs
from resources.home import PROJECT_ROOT

FOLDER = Path(__file__).parent / "snapshots"
COMMAND = "python -m tests.embedded.graph_snapshot --write"
OF_DAGSTER = ("__ASSET_JOB", "__ANONYMOUS_ASSET_JOB")
"""The job that Dagster makes by itself of all assets."""
LOOKED_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""Partitions that end with the present month are as of then."""
KIND_TAG = "dagster/kind/"
NOTHING: tuple[object, ...] = (None, "", [], {})


def graphs() -> dict[str, dg.Definitions]:
    """The definitions behind each snapshot, by the file's name."""
    bakery = load_domain(PROJECT_ROOT / "tests" / "domains" / "bakery")
    return {"location": build_defs(), "bakery": build_defs(domains=[bakery])}


def text_of(defs: dg.Definitions) -> str:
    """The snapshot's text: keys first, since a renamed key is the change that costs most."""
    graph = defs.resolve_asset_graph()
    keys = sorted(graph.get_all_asset_keys())
    checks = sorted(graph.asset_check_keys)
    document = {
        "keys": [key.to_user_string() for key in keys],
        "assets": {key.to_user_string(): _asset(graph.get(key)) for key in keys},
        "checks": {f"{key.asset_key.to_user_string()}:{key.name}": _check(graph.get(key)) for key in checks},
        "jobs": {job.name: _job(job) for job in _jobs(defs)},
        "sensors": {one.name: _sensor(one) for one in sorted(defs.sensors or [], key=lambda one: one.name)},
        "schedules": {one.name: _schedule(one) for one in sorted(defs.schedules or [], key=lambda one: one.name)},
        "resources": {name: _class(one) for name, one in sorted((defs.resources or {}).items())},
        "executor": defs.executor.name if defs.executor else None,
    }
    return yaml.safe_dump(document, sort_keys=False, width=140, allow_unicode=True)


def _asset(node: Any) -> dict[str, Any]:
    tags = {name: value for name, value in sorted(node.tags.items()) if not name.startswith(KIND_TAG)}
    shown = {
        "group": node.group_name,
        "kinds": ", ".join(sorted(node.kinds)),
        "owners": ", ".join(node.owners),
        "tags": ", ".join(f"{name}: {value}" for name, value in tags.items()),
        "partitions": _partitions(node.partitions_def),
        "backfill": _backfill(node.backfill_policy),
        "deps": _deps(node),
        "made_together_with": sorted(
            key.to_user_string() for key in node.execution_set_asset_keys if key != node.key and not node.is_external
        ),
        "kind_of_asset": "external" if node.is_external else node.execution_type.name.lower(),
        "has_code_version": node.code_version is not None,
        "automation": _label(node.automation_condition),
        "freshness": _class(node.freshness_policy),
        "pools": sorted(node.pools or ()),
        "metadata": sorted(node.metadata),
    }
    return {name: value for name, value in shown.items() if value not in NOTHING}


def _deps(node: Any) -> list[str]:
    mapped = {key.to_user_string(): mapping for key, mapping in node.partition_mappings.items()}
    names = sorted(key.to_user_string() for key in node.parent_keys)
    return [f"{name} by {mapped[name]}" if name in mapped else name for name in names]


def _partitions(definition: Any) -> str | None:
    if definition is None:
        return None
    if isinstance(definition, dg.DynamicPartitionsDefinition):  # its keys are in an instance
        return f"{type(definition).__name__}: {definition.name}"
    keys = definition.get_partition_keys(current_time=LOOKED_AT)
    window = isinstance(definition, dg.TimeWindowPartitionsDefinition)
    by = f", cron {definition.cron_schedule} {definition.timezone}" if window else ""
    return f"{type(definition).__name__}: {len(keys)} from {keys[0]} to {keys[-1]}{by}"


def _backfill(policy: dg.BackfillPolicy | None) -> str | None:
    if policy is None:
        return None
    runs = policy.max_partitions_per_run
    return "one run" if runs is None else f"{runs} partitions a run"


def _check(node: Any) -> dict[str, Any]:
    shown = {
        "blocking": node.blocking,
        "deps": sorted(key.to_user_string() for key in node.parent_entity_keys if key != node.key.asset_key),
        "partitions": _partitions(node.partitions_def),
        "automation": _label(node.automation_condition),
    }
    return {name: value for name, value in shown.items() if value not in NOTHING}


def _jobs(defs: dg.Definitions) -> list[dg.JobDefinition]:
    return sorted(
        (job for job in defs.resolve_all_job_defs() if not job.name.startswith(OF_DAGSTER)), key=lambda job: job.name
    )


def _job(job: dg.JobDefinition) -> dict[str, Any]:
    shown = {
        "assets": sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys),
        "ops": [] if job.asset_layer.executable_asset_keys else sorted(node.name for node in job.nodes),
        "partitions": _partitions(job.partitions_def),
        "backfill": _backfill(job.backfill_policy) if job.asset_layer.executable_asset_keys else None,
        "executor": job.executor_def.name,
        "run_tags": dict(sorted({**job.tags, **job.run_tags}.items())),
        "retry_policy": repr(job.op_retry_policy) if getattr(job, "op_retry_policy", None) else None,
    }
    return {name: value for name, value in shown.items() if value not in NOTHING}


def _sensor(sensor: dg.SensorDefinition) -> dict[str, Any]:
    return {
        "type": type(sensor).__name__,
        "jobs": sorted(target.job_name for target in sensor.targets),
        "minimum_interval_seconds": sensor.minimum_interval_seconds,
        "default_status": sensor.default_status.value,
    }


def _schedule(schedule: Any) -> dict[str, Any]:
    return {
        "job": schedule.job_name,
        "cron": schedule.cron_schedule,
        "timezone": schedule.execution_timezone,
        "default_status": schedule.default_status.value,
    }


def _label(condition: dg.AutomationCondition[Any] | None) -> str | None:
    return None if condition is None else condition.get_label() or str(condition)


def _class(thing: object) -> str | None:
    return None if thing is None else type(thing).__name__


def main() -> int:
    if sys.argv[1:] != ["--write"]:
        print(f"Writes the snapshots of the graph anew: {COMMAND}")
        return 2
    FOLDER.mkdir(exist_ok=True)
    for name, defs in graphs().items():
        (FOLDER / f"{name}.yaml").write_text(text_of(defs), encoding="utf-8")
        print(f"{FOLDER.relative_to(PROJECT_ROOT) / name}.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
