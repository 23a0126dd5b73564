"""Fixtures of the embedded tests: the second domain's home after one run."""

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bakery import BAKERY, NAME, RunServer, Workshop, workshop


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
