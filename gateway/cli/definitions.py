"""`spice defs`: the definition files, checked before Dagster loads them."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.common import say
from gateway.domains import DEFS
from ontology_assets.model.loading import load_domain

app = typer.Typer(no_args_is_help=True, help="Definition files.")


@app.command()
def check(folder: Annotated[Path | None, typer.Argument(help="Folder of one domain; default: all.")] = None) -> None:
    """Read every definition file and name each fault with file, line, field and what is allowed."""
    folders = [folder] if folder else [file.parent for file in sorted(DEFS.glob("*/domain.yaml"))]
    for place in folders:
        domain = load_domain(place)
        say(f"{domain.name}: {len(domain.datasets)} datasets, {len(domain.pipelines)} pipelines, {len(domain.object_types)} object types")
