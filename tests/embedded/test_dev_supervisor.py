"""`spice dev` as a whole: real UI, daemon, code server and gateway, on a small location whose run never ends by itself."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from dagster import DagsterRunStatus

from gateway.dev_processes import MARK
from resources.home import PROJECT_ROOT, Home
from resources.instance import open_instance

LOCATION = """
import time
import dagster as dg

@dg.op
def wait():
    while True:
        time.sleep(0.1)

@dg.job(executor_def=dg.in_process_executor)
def endless():
    wait()

@dg.sensor(job=endless, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def once(context):
    if context.cursor:
        return dg.SkipReason("launched before")
    context.update_cursor("launched")
    return dg.RunRequest(run_key="one")

defs = dg.Definitions(jobs=[endless], sensors=[once])
"""
PROGRAM = """
import sys
from gateway.dev import run_dev
from resources.errors import SpiceError
from resources.home import Home
try:
    port = int(sys.argv[2])
    sys.exit(run_dev(Home.resolve(sys.argv[1]), port=port, gateway_port=port, module="endless_location"))
except SpiceError as fault:
    sys.exit(f"{fault.status} {fault.text()}")
"""


@dataclass
class Dev:
    """A running supervisor with its output file."""

    home: Home
    process: subprocess.Popen[bytes]
    output: Path

    def text(self) -> str:
        return self.output.read_text()

    @property
    def url(self) -> str:
        found = re.search(r"Dagster UI: (http://\S+)", self.text())
        return found.group(1) if found else ""

    @property
    def gateway(self) -> str:
        found = re.search(r"HTTP API: (http://\S+)", self.text())
        return found.group(1) if found else ""

    def members(self, containing: str = "") -> list[psutil.Process]:
        """All processes that work on this home, the supervisor and its watchdog included."""
        found = []
        for process in psutil.process_iter():
            try:
                line = " ".join(process.cmdline())
                ours = process.environ().get("SPICE_HOME") == str(self.home.root) or str(self.home.root) in line
                if ours and containing in line and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.pid != os.getpid()]

    def runs(self) -> list[DagsterRunStatus]:
        with open_instance(self.home) as instance:
            return [run.status for run in instance.get_runs()]


def wait_until(what: Callable[[], object], seconds: float, text: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s: {text()}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Dev]]:
    folder = tmp_path_factory.mktemp("dev")
    (folder / "endless_location.py").write_text(LOCATION)
    started: list[Dev] = []

    def go(name: str, port: int) -> Dev:
        output = folder / f"{name}-{len(started)}.txt"
        env = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{PROJECT_ROOT}"}
        env.pop(MARK, None)
        with output.open("wb") as out:
            command = [sys.executable, "-c", PROGRAM, str(folder / name), str(port)]
            process = subprocess.Popen(command, stdout=out, stderr=out, env=env, start_new_session=True)
        started.append(Dev(Home(folder / name), process, output))
        return started[-1]

    yield go
    for dev in started:
        for process in dev.members():
            process.kill()
        dev.process.wait(10)


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def dev(start: Callable[..., Dev], taken: int) -> Dev:
    dev = start("home", taken)
    wait_until(lambda: dev.url, 60, dev.text)
    return dev


def answer(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers={key.replace("_", "-"): value for key, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as refused:
        return refused.code


def test_a_taken_port_is_named_with_its_process_and_the_next_one_serves(dev: Dev, taken: int) -> None:
    assert f"Port {taken} is taken by" in dev.text()
    assert str(os.getpid()) in dev.text()
    assert int(dev.url.rsplit(":", 1)[1]) > taken
    assert answer(f"{dev.url}/server_info") == 200


def test_the_ui_answers_to_its_own_name_and_pages_only(dev: Dev) -> None:
    port = dev.url.rsplit(":", 1)[1]
    assert answer(f"{dev.url}/server_info", Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 200
    assert answer(f"{dev.url}/server_info", Host=f"rebound.example:{port}") == 421
    assert answer(f"{dev.url}/graphql?query=%7Bversion%7D", Origin="http://elsewhere.example") == 403
    assert (
        answer(f"{dev.url}/graphql?query=%7Bversion%7D", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors") == 403
    )
    assert answer(f"{dev.url}/graphql?query=%7Bversion%7D") == 200


def test_a_websocket_of_another_page_is_refused(dev: Dev) -> None:
    host, port = dev.url.removeprefix("http://").split(":")

    def handshake(origin: str) -> str:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            lines = [
                "GET /graphql HTTP/1.1",
                f"Host: {host}:{port}",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Protocol: graphql-ws",
                f"Origin: {origin}",
            ]
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            return connection.recv(100).decode().splitlines()[0]

    assert " 403 " in handshake("http://elsewhere.example")
    assert " 101 " in handshake(dev.url)


def test_a_second_one_on_the_same_home_is_refused_with_the_first_ones_process(
    dev: Dev, start: Callable[..., Dev]
) -> None:
    second = start("home", 3900)
    assert second.process.wait(20) == 1
    assert "409" in second.text()
    assert f"process {dev.process.pid}" in second.text()


def test_a_killed_ui_comes_back(dev: Dev) -> None:
    (ui,) = dev.members("gateway.ui_server")
    ui.kill()
    ui.wait(5)
    wait_until(lambda: dev.members("gateway.ui_server"), 10)
    wait_until(lambda: reachable(dev.url), 30)
    assert "The ui process ended" in dev.text()


def reachable(url: str, path: str = "/server_info") -> bool:
    try:
        return answer(f"{url}{path}") == 200
    except OSError:
        return False


def document(url: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer, whatever it is."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_the_gateway_serves_the_same_home_on_a_port_of_its_own_and_knows_where_the_ui_is(dev: Dev) -> None:
    wait_until(lambda: dev.gateway, 30, dev.text)
    assert dev.gateway != dev.url
    status, health = document(f"{dev.gateway}/v1/health")
    assert (status, health["status"], health["dagster"]) == (503, "unavailable", dev.url)
    assert "spice run" in health["problems"][0]["detail"]
    status, problem = document(f"{dev.gateway}/v1/objects/Nothing/1")
    assert (status, problem["where"]) == (404, "type")


def test_all_children_are_told_both_addresses(dev: Dev) -> None:
    wait_until(lambda: dev.members("dagster._daemon"), 60, dev.text)
    for part in ("gateway.ui_server", "dagster._daemon", "code-server", "gateway.api_server"):
        told = dev.members(part)[0].environ()
        assert (told["SPICE_DAGSTER_URL"], told["SPICE_GATEWAY_URL"]) == (dev.url, dev.gateway), part


@pytest.mark.parametrize("which", ["the first process", "one that answers"])
def test_a_killed_gateway_comes_back(dev: Dev, which: str) -> None:
    former = {process.pid: process.ppid() for process in dev.members("gateway.api_server")}
    firsts = [pid for pid, parent in former.items() if parent not in former]
    answering = [pid for pid, parent in former.items() if parent in former]
    assert (len(firsts), len(answering)) == (1, 2)
    os.kill((firsts if which == "the first process" else answering)[0], signal.SIGKILL)
    wait_until(lambda: not former.keys() & {process.pid for process in dev.members("gateway.api_server")}, 10)
    wait_until(lambda: len(dev.members("gateway.api_server")) == 3, 20)
    wait_until(lambda: reachable(dev.gateway, "/openapi.json"), 30)
    assert "The gateway process ended" in dev.text()


def test_ctrl_c_cancels_the_run_and_leaves_nothing_over(dev: Dev) -> None:
    wait_until(lambda: dev.runs() == [DagsterRunStatus.STARTED], 60, lambda: str(dev.runs()))
    dev.process.send_signal(signal.SIGINT)
    assert dev.process.wait(25) == 0
    assert "Stopped." in dev.text()
    assert dev.members() == []
    assert dev.runs() == [DagsterRunStatus.CANCELED]


def test_kill_of_the_supervisor_leaves_nothing_over_and_the_next_start_ends_its_runs(
    start: Callable[..., Dev],
) -> None:
    first = start("killed", 3950)
    wait_until(lambda: first.home.dagster.exists() and first.runs() == [DagsterRunStatus.STARTED], 60, first.text)
    first.process.kill()
    first.process.wait(5)
    wait_until(lambda: first.members() == [], 20, lambda: str(first.members()))

    second = start("killed", 3950)
    wait_until(lambda: second.url, 60, second.text)
    assert second.runs() == [DagsterRunStatus.FAILURE]
    second.process.terminate()  # only the supervisor, none of its children
    assert second.process.wait(25) == 0
    assert second.members() == []
