"""A session on real Spark for tests: `spark_session`, the same settings as the product's own session on Sail.

One server serves all processes of a test run (`spark_keeper.py`). Rows are sent by the client, so the server needs no
Delta jar. A server that can't be had is a failure that says how to get it, never a skip.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bootstrap import RefusedError
from resources.home import PROJECT_ROOT
from resources.spark import connect
from tests.servers.spark_install import NotInstalled, installed, java
from tests.servers.spark_keeper import HELLO

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

JOIN_SECONDS = 30


def rendezvous() -> Path:
    """The folder in which the processes of one test run find their server. Short: it holds a socket."""
    run = os.environ.get("SPICE_TEST_CACHE") or os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    return Path(tempfile.gettempdir()) / f"spice-spark-{hashlib.sha256(run.encode()).hexdigest()[:12]}"


@contextmanager
def spark_server() -> Iterator[str]:
    """Address (`sc://`) of the run's server, started by who comes first; it lives while anybody is in this block."""
    folder = rendezvous()
    with _locked(folder):
        connection = _joined(folder) or _started(folder)
    with connection, connection.makefile("r") as lines:
        line = lines.readline().strip()
        if not line.startswith("sc://"):
            pytest.fail(
                line.removeprefix("error: ") or f"the Spark server ended; see {folder}/keeper.log", pytrace=False
            )
        yield line


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; a keeper that ends takes the whole folder away."""
    while True:
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (folder / "lock").exists() and (folder / "lock").stat().st_ino == os.fstat(lock.fileno()).st_ino:
                yield
                return


def _joined(folder: Path) -> socket.socket | None:
    """A connection that the keeper knows of; None where there is no keeper."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(JOIN_SECONDS)
    try:
        connection.connect(str(folder / "socket"))
        heard = b""
        while len(heard) < len(HELLO):
            piece = connection.recv(len(HELLO) - len(heard))
            if not piece:
                raise ConnectionError
            heard += piece
    except OSError:
        connection.close()
        return None
    connection.settimeout(None)
    return connection


def _started(folder: Path) -> socket.socket:
    try:
        java()
        installed()
    except (NotInstalled, RefusedError) as reason:
        pytest.fail(str(reason), pytrace=False)
    for name in ("socket", "local", "warehouse"):  # of a keeper that was killed
        place = folder / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    with (folder / "keeper.log").open("w") as out:
        subprocess.Popen(
            [sys.executable, "-m", "tests.servers.spark_keeper", str(folder)],
            cwd=PROJECT_ROOT, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    until = time.monotonic() + JOIN_SECONDS
    while time.monotonic() < until:
        connection = _joined(folder)
        if connection is not None:
            return connection
        time.sleep(0.05)
    pytest.fail(f"the keeper of the Spark server did not start; see {folder}/keeper.log", pytrace=False)


@pytest.fixture(scope="session")
def spark_session() -> Iterator["SparkSession"]:
    """A session on real Spark, with the settings of `resources.spark.session`."""
    with spark_server() as address:
        created = connect(address)
        yield created
        created.stop()
