"""`spice serve`: two processes answer on one port, and however it ends none is left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from resources.home import PROJECT_ROOT
from tests.served import free_port, wait


@pytest.mark.parametrize(
    ("ending", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_it_ends_as_a_whole(tmp_path: Path, ending: signal.Signals, status: int) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gateway.cli.main", "serve", "--home", str(tmp_path / "home"), "--port", str(port)]
    log = tmp_path / "serve.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, cwd=PROJECT_ROOT, env=dict(os.environ), stdout=out, stderr=out)
        wait(f"http://127.0.0.1:{port}", server)
        answering = psutil.Process(server.pid).children()
        assert len(answering) == 2
        server.send_signal(ending)
        assert server.wait(10) == status
    _, left = psutil.wait_procs(answering, 5)
    assert left == []
    assert "Traceback" not in log.read_text()
