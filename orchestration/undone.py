"""Telling Dagster of undos. They are done by registry and alias alone, whether Dagster runs or not, and reported
afterwards: by who did it, or else by the hourly housekeeping.

`python -m orchestration.undone --home DIR`: a process of its own, so that the API never loads Dagster.
"""

import argparse
from pathlib import Path

import dagster as dg

from ontology_assets.projections.rebuild.record import Records, Undone
from ontology_assets.projections.sinks import OPTIONS, generations_of
from resources.home import Home
from resources.instance import open_instance
from resources.registry.sql import SqliteRegistry


def tell(home: Home, instance: dg.DagsterInstance) -> list[str]:
    """Report the undos that were not reported yet; the names of their projections."""
    registry, told = SqliteRegistry(home.registry), []
    for projection in sorted(OPTIONS):
        records = Records(registry, projection)
        undone = records.untold()
        if undone is None:
            continue
        # Where the alias leads elsewhere its process died before the move, or a swap came after that told of itself.
        if generations_of(home, projection).current() == undone.generation:
            instance.report_runless_asset_event(materialization(projection, undone))
            told.append(projection)
        records.told(undone)
    registry.close()
    return told


def materialization(projection: str, undone: Undone) -> dg.AssetMaterialization:
    behind = {f"behind_{domain}": events for domain, events in undone.behind.items()}
    return dg.AssetMaterialization(
        dg.AssetKey(["projection", projection, "swap"]),
        description=f"Undone: generation {undone.generation} is asked again instead of {undone.former}.",
        metadata={"generation": undone.generation, "former_generation": undone.former, **behind},
        tags={"dagster/data_version": undone.generation},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True, type=Path)
    home = Home(parser.parse_args().home)
    with open_instance(home) as instance:
        tell(home, instance)


if __name__ == "__main__":
    main()
