"""A copy of the project as somebody has it who has just cloned it, and a home with nothing in it."""

import shutil
from pathlib import Path

from resources.home import PROJECT_ROOT
from tests.conftest import PACKAGES, Spice


def fresh_project(folder: Path, *, domains: bool = True) -> Path:
    """The packages with the domains that are shipped, or with none."""
    for package in PACKAGES:
        shutil.copytree(PROJECT_ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "workspace.yaml"):
        shutil.copy2(PROJECT_ROOT / file, folder / file)
    if not domains:
        for place in (folder / "orchestration" / "defs").iterdir():
            if place.is_dir():
                shutil.rmtree(place)
    return folder


def newcomer(folder: Path, *, domains: bool = True) -> Spice:
    """The command line of a new clone in `folder/project`, on the home `folder/project/.spice`."""
    project = fresh_project(folder / "project", domains=domains)
    return Spice(project / ".spice", project)
