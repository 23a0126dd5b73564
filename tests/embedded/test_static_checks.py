"""Layers, lint, format and types of the whole tree: what `make check` runs, so that `make test` covers it too.

Together 1 s where the caches are warm, 20 s of CPU in a fresh checkout (mypy reads every library once).
"""

import subprocess
import sys
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT
from tests.conftest import PACKAGES, copy_of_the_packages

BIN = Path(sys.executable).parent


def run(*command: str, folder: Path = PROJECT_ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / command[0], *command[1:]], cwd=folder, capture_output=True, text=True, check=False)


def test_layers_hold() -> None:
    done = run("lint-imports")
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("resources/locks.py", "transforms.digests", "layers"),
        ("transforms/digests.py", "ontology_assets.keys", "layers"),
        ("ontology_assets/keys.py", "gateway.readers", "layers"),
        ("ontology_assets/keys.py", "dagster", "does not know Dagster"),
        ("ontology_assets/events/chain.py", "deltalake", "no client library"),
    ],
)
def test_an_import_against_the_layers_is_found(tmp_path: Path, module: str, imported: str, contract: str) -> None:
    copy_of_the_packages(tmp_path)
    file = tmp_path / module
    file.write_text(f"{file.read_text()}\nimport {imported}\n")
    done = run("lint-imports", "--no-cache", folder=tmp_path)
    assert done.returncode != 0
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert [contract in line for line in broken] == [True], done.stdout


def test_every_package_is_under_the_contracts() -> None:
    text = (PROJECT_ROOT / "pyproject.toml").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("root_packages"))
    assert all(f'"{package}"' in line for package in PACKAGES)


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_the_linter_is_silent(command: tuple[str, ...]) -> None:
    done = run("ruff", *command, ".")
    assert done.returncode == 0, done.stdout


def test_types_hold() -> None:
    done = run("mypy")
    assert done.returncode == 0, done.stdout
