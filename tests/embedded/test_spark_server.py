"""The real Spark of the tests: the product's settings, one server for all that ask, nothing left behind."""

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from resources.home import PROJECT_ROOT
from resources.spark import session
from tests.servers.spark import rendezvous, spark_server

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = ("spark.sql.session.timeZone", "spark.sql.ansi.enabled")
IN_PROCESS = "import sys; from tests.servers.spark import spark_server\nwith spark_server() as one: print(one, flush=True); sys.stdin.read()"


def test_its_settings_are_those_of_the_products_own_session(spark_session: "SparkSession") -> None:
    assert spark_session.version == "4.2.0"
    assert [spark_session.conf.get(one) for one in SETTINGS] == [session().conf.get(one) for one in SETTINGS]


def test_the_whole_run_has_one_server(spark_session: "SparkSession") -> None:
    with spark_server() as first, spark_server() as second:
        assert first == second


def test_it_ends_with_the_last_process_that_uses_it_however_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = os.environ | {"SPICE_TEST_CACHE": f"/a run of its own {os.getpid()}", "PYTHONPATH": str(PROJECT_ROOT)}
    users = [
        subprocess.Popen(
            [sys.executable, "-c", IN_PROCESS],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    addresses = {user.stdout.readline().strip() for user in users if user.stdout}
    assert len(addresses) == 1
    assert addresses.pop().startswith("sc://")
    monkeypatch.setenv("SPICE_TEST_CACHE", environment["SPICE_TEST_CACHE"])
    folder = rendezvous()
    users[0].kill()
    users[0].wait()
    time.sleep(0.5)
    assert folder.exists()
    users[1].kill()
    users[1].wait()
    until = time.monotonic() + 30
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not folder.exists()
