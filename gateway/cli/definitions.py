"""`spice defs`: the definition files, checked before Dagster loads them."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import DomainOption, HomeOption, home_of, say
from gateway.domains import DEFS, domains, the_domain
from ontology_assets.model.loading import load_domain

app = typer.Typer(no_args_is_help=True, help="Definition files.")


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="Folder or name of one domain; default: all.")] = None,
) -> None:
    """Read every definition file and name each fault with file, line, field and what is allowed."""
    if folder is None:
        domains()  # also against each other
    if folder is not None and not folder.exists() and (DEFS / folder).is_dir():
        folder = DEFS / folder
    folders = [folder] if folder else [file.parent for file in sorted(DEFS.glob("*/domain.yaml"))]
    for place in folders:
        domain = load_domain(place)
        counts = f"{len(domain.datasets)} datasets, {len(domain.pipelines)} pipelines"
        say(f"{domain.name}: {counts}, {len(domain.object_types)} object types")


@app.command()
def infer(
    domain: DomainOption = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Infer all datasets again, not only those without types.")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Infer column types from the files and keep them in types.lock beside domain.yaml."""
    from gateway.sample import infer_types

    names = infer_types(home_of(home), the_domain(domain), anew=anew)
    say(f"types.lock: {', '.join(names)}" if names else "types.lock: nothing to infer")
