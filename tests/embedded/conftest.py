"""Fixtures of the embedded tests: the second domain after one run, made once; a test that changes something takes a copy."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bakery import BAKERY, NAME, Kitchen, RunServer, Workshop, kitchen, workshop
from tests.contracts.library import AUTHORS, BOOKS
from tests.contracts.library_log import LibraryHome

LOCALES = ("C", "C.utf8", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8", "en_US.UTF-8")


@dataclass(frozen=True)
class Bakery:
    """A project whose only domain is the bakery, and its home after a run. Read only: who changes it makes a copy."""

    shop: Workshop
    home: Path


@pytest.fixture(scope="session")
def bakery_run(cache_folder: Path) -> Bakery:
    cache_folder.mkdir(parents=True, exist_ok=True)
    folder = cache_folder / "bakery-run"
    with (cache_folder / "bakery-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shop, home = workshop(folder / "project", rules=False), folder / "home"
            shutil.copytree(BAKERY / "sources", home / "sources" / NAME)
            server = RunServer(shop.project, rules=False)
            ran = server.run(home)
            server.close()
            assert ran.status == 0, ran.failures
            shop.follow(home)
            (folder / "done").write_text("")
    return Bakery(Workshop(folder / "project"), folder / "home")


@pytest.fixture
def library(tmp_path: Path) -> LibraryHome:
    """Two commits of which the first is sealed, followed."""
    made = LibraryHome(tmp_path / "home")
    made.append(AUTHORS)
    made.seal()
    made.append(BOOKS)
    made.follow()
    return made


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """With its contracts and expectations, and a process that runs its job."""
    yield from kitchen(tmp_path_factory.mktemp("full"), rules=True)


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """Without contracts and expectations, which would stop what the gates are there for, and take time."""
    yield from kitchen(tmp_path_factory.mktemp("bare"), rules=False)


@pytest.fixture(scope="session")
def locales(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder for the locales that this machine can make, and all that are at hand, of `LOCALES`."""
    folder = tmp_path_factory.mktemp("locales")
    told = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=True).stdout.split()
    found = [name for name in LOCALES if name in told]
    for name in set(LOCALES) - set(told):
        language = name.split(".")[0]
        if shutil.which("localedef") and language != "C":
            subprocess.run(
                ["localedef", "--no-archive", "-i", language, "-f", "UTF-8", folder / name],
                check=False,  # no sources of locales here: then there are the installed ones
                capture_output=True,
            )
        found += [name] if (folder / name).exists() else []
    assert len(found) >= 2, f"install a second locale; here are: {told}"
    return folder, found
