"""What `spice reconcile` does: tables, log and Dagster's records of a home compared, and mended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from gateway.readers import open_readers
from ontology_assets.model.definitions import Domain
from ontology_assets.reconciling.difference import Difference
from ontology_assets.reconciling.ledgers import Ledgers
from ontology_assets.reconciling.reconcile import Look, Reconciled, look, repair
from resources.cli_runs import settle_dead_runs
from resources.home import Home
from resources.instance import open_instance
from resources.lake.local import LocalLake

OWNER = "spice reconcile"


def compare(home: Home, domains: Sequence[Domain]) -> list[Look]:
    with _ledgers(home, domains) as every:
        return [look(one) for one in every]


def mend(home: Home, domains: Sequence[Domain]) -> list[Reconciled]:
    with _ledgers(home, domains) as every:
        return [repair(one, {"job": OWNER}) for one in every]


def document(found: Look, mended: Sequence[Difference] = ()) -> dict[str, Any]:
    return {
        "domain": found.domain,
        "differences": [asdict(one) for one in found.differences],
        "mended": [asdict(one) for one in mended],
        "compared": found.compared,
        "at_work": sorted(found.at_work),
    }


@contextmanager
def _ledgers(home: Home, domains: Sequence[Domain]) -> Iterator[list[Ledgers]]:
    from resources.dagster_records import DagsterRecords

    lake = LocalLake(home.lake)
    with open_instance(home) as instance, open_readers(home, domains) as readers:
        settle_dead_runs(home, instance)
        records = DagsterRecords(instance)
        yield [
            Ledgers(one, lake, readers.log(one.name), readers.heads(one.name), records, home.locks) for one in domains
        ]
