"""The embedded Dagster instance of a data home: its settings file and how a process opens it.

One instance serves the UI, the daemon, the command line and `make demo`. Nothing in its settings names a place, so
that a copied home is a working home.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from resources.home import Home
from resources.locks import exclusive

if TYPE_CHECKING:
    from dagster import DagsterInstance  # takes a second to import, which a command that only reads does not spend

EVENT_BATCH_SIZE = 1000
BACKFILL_RUNS = 2

SETTINGS: Mapping[str, object] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "storage": {
        "custom": {
            "module": "resources.dagster_storage",
            "class": "EmbeddedStorage",
            # Artifacts have no setting: by default they lie in DAGSTER_HOME too.
            "config": {"base_dir": {"env": "DAGSTER_HOME"}},
        }
    },
    "compute_logs": {
        "module": "resources.dagster_logs",
        "class": "HomeComputeLogManager",
        "config": {"base_dir": {"env": "DAGSTER_HOME"}},
    },
    "run_queue": {
        # A killed follower is replaced within 15 s, of which the default of 5 s would be a third.
        "dequeue_interval_seconds": 1,
        "dequeue_use_threads": True,
        "dequeue_num_workers": 2,
        # A code server that is just starting again is waited for; by default the run would be failed.
        "max_user_code_failure_retries": 5,
        "user_code_failure_retry_delay": 5,
    },
    "concurrency": {
        "runs": {
            # Far more than a laptop runs at once: a full queue must never keep a follower waiting.
            "max_concurrent_runs": 25,
            "tag_concurrency_limits": [{"key": "dagster/backfill", "limit": BACKFILL_RUNS}],
        }
    },
    "run_monitoring": {
        "enabled": True,
        "start_timeout_seconds": 120,
        "cancel_timeout_seconds": 60,
        "poll_interval_seconds": 60,
        "free_slots_after_run_end_seconds": 300,
    },
    "run_retries": {"enabled": False, "max_retries": 0, "retry_on_asset_or_op_failure": False},
    "freshness": {"enabled": True},  # of assets that declare it (`automation.freshness`); it starts no run
    "sensors": {"use_threads": True, "num_workers": 4, "num_submit_workers": 2},
    "schedules": {"use_threads": False},
    "backfills": {"use_threads": False},
    "retention": {
        # The keeper ticks each five seconds.
        "sensor": {"purge_after_days": {"started": 1, "skipped": 1, "success": 1, "failure": 7}},
        "schedule": {"purge_after_days": {"started": 1, "skipped": 7, "success": 30, "failure": 90}},
        "auto_materialize": {"purge_after_days": {"started": 1, "skipped": 1, "success": 7, "failure": 30}},
    },
}

_HEADER = "# Written by SPICE HARVESTER (resources/instance.py); changes are overwritten.\n"


def instance_environment(home: Home) -> dict[str, str]:
    """What a process needs in its environment before it uses Dagster on `home`."""
    return {
        "SPICE_HOME": str(home.root),
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DAGSTER_EVENT_BATCH_SIZE": str(EVENT_BATCH_SIZE),
    }


def ensure_instance(home: Home) -> Path:
    """Write `<home>/dagster/dagster.yaml` and set up the databases where that is not done; returns DAGSTER_HOME.

    Several processes may call it at once on a new home: Dagster's own first start is not made for that.
    """
    text = _HEADER + yaml.safe_dump(dict(SETTINGS), sort_keys=False)
    file, databases = home.dagster / "dagster.yaml", home.dagster / "schedules" / "schedules.db"
    if file.exists() and file.read_text(encoding="utf-8") == text and databases.exists():
        return home.dagster
    home.dagster.mkdir(parents=True, exist_ok=True)
    with exclusive(home.locks, "dagster-setup", holder="setup of the Dagster instance"):
        written = file.with_suffix(f".{os.getpid()}.tmp")
        written.write_text(text, encoding="utf-8")
        written.replace(file)
        with _opened(home):
            pass
    return home.dagster


@contextmanager
def open_instance(home: Home) -> Iterator["DagsterInstance"]:
    """The home's instance, with the environment of this process set for it while the block runs."""
    ensure_instance(home)
    with _opened(home) as instance:
        yield instance


@contextmanager
def _opened(home: Home) -> Iterator["DagsterInstance"]:
    from dagster import DagsterInstance

    wanted = instance_environment(home)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        with DagsterInstance.from_config(str(home.dagster)) as instance:
            yield instance
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
