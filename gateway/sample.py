"""Sample files that packages ship, and the types inferred from a domain's files: what a first run needs in place."""

from pathlib import Path

from gateway.domains import domain_folders
from ontology_assets.model.definitions import Domain
from resources.home import Home
from resources.sources import fill_from_package, find_source
from transforms.csv_source import open_csv
from transforms.inference import Inference
from transforms.types_lock import lock_path, write_types_lock


def fill_sources(home: Home, domain: Domain) -> list[str]:
    """Copy what the domain's packages ship into the home, where it is missing; one line per file copied."""
    wanted = sorted(
        {
            (one.source.folder, one.source.package)
            for one in domain.datasets.values()
            if one.source and one.source.package
        }
    )
    return [
        f"{path.relative_to(home.root)} ({path.stat().st_size / 1e6:.1f} MB)"
        for folder, package in wanted
        for path in fill_from_package(home.sources, folder, str(package))
    ]


def infer_types(home: Home, domain: Domain, *, anew: bool = False, folder: Path | None = None) -> list[str]:
    """Infer the types of datasets that have none yet (`anew`: of all) and lock them; the names of those inferred."""
    locked = {} if anew else dict(domain.locked_types)
    missing = [name for name in domain.datasets if name not in locked]
    for name in missing:
        dataset = domain.datasets[name]
        source = find_source(home.sources, dataset.source.folder if dataset.source else domain.name, dataset.file)
        with open_csv(source) as table:
            inference = Inference(table.columns, dataset.nulls)
            for block in table.blocks:
                inference.see(block.rows)
        locked[name] = inference.types()
    if missing:
        write_types_lock(lock_path(folder or domain_folders()[domain.name]), locked)
    return missing
