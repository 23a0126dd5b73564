"""`python -m tests.servers.spark_keeper FOLDER`: one Spark Connect server for all processes of a test run.

Each process that uses the server holds a connection to the socket in FOLDER, on which it is told the address. When the
last of them has closed it, or has died, the server is ended and this process with it. So nobody has to know who is
last, and nothing is left behind by a test that was killed.
"""

import ctypes
import fcntl
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.servers.spark_install import installed, java

HERE = "127.0.0.1"
START_SECONDS = 120
MEMORY = "1g"
HELLO = b"here\n"
"""Sent as soon as a user is known; the address, or why there is none, follows in a line of its own."""
SETTINGS = {
    "spark.connect.grpc.binding.address": HERE,
    "spark.driver.host": HERE,
    "spark.driver.bindAddress": HERE,
    "spark.driver.memory": MEMORY,
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Duser.timezone=UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.catalogImplementation": "in-memory",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


class Server:
    """The Java process."""

    def __init__(self, folder: Path) -> None:
        home = installed() / "pyspark"
        self.port = free_port()
        self.log = folder / "spark.log"
        own = {
            "spark.connect.grpc.binding.port": str(self.port),
            "spark.local.dir": str(folder / "local"),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
        }
        command = [str(home / "bin" / "spark-submit"), "--master", "local[2]"]
        for name, value in (SETTINGS | own).items():
            command += ["--conf", f"{name}={value}"]
        command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
        environment |= {
            "SPARK_HOME": str(home),
            "JAVA_HOME": str(Path(java()).resolve().parent.parent),
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(home.parent),  # before the client wheel of the same name
            "SPARK_LOCAL_IP": HERE,
        }
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=_die_with_parent,  # noqa: PLW1509 - there are no threads here

            )  # fmt: skip
        self.until = time.monotonic() + START_SECONDS

    def answer(self) -> str | None:
        """The line for users, None while the server is starting."""
        with socket.socket() as probe:
            if probe.connect_ex((HERE, self.port)) == 0:
                return f"sc://{HERE}:{self.port}"
        if self.process.poll() is None and time.monotonic() < self.until:
            return None
        last = " | ".join(self.log.read_text(errors="replace").splitlines()[-5:])
        return f"error: the Spark server did not start within {START_SECONDS} s: {last}"

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _die_with_parent() -> None:
    """Also a keeper that is killed leaves no server."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def keep(folder: Path) -> None:
    """Serve until nobody is left."""
    address = str(folder / "socket")
    with socket.socket(socket.AF_UNIX) as listening, (folder / "lock").open("w") as lock:
        listening.bind(address)
        listening.listen()
        server = Server(folder)
        line: str | None = None
        watch = selectors.DefaultSelector()
        watch.register(listening, selectors.EVENT_READ)
        users: set[socket.socket] = set()
        came = False
        while True:
            for key, _ in watch.select(timeout=0.2):
                if key.fileobj is listening:
                    user, _ = listening.accept()
                    user.sendall(HELLO + (line.encode() + b"\n" if line else b""))
                    watch.register(user, selectors.EVENT_READ)
                    users.add(user)
                    came = True
                elif isinstance(key.fileobj, socket.socket) and not _still_there(key.fileobj):
                    watch.unregister(key.fileobj)
                    users.remove(key.fileobj)
                    key.fileobj.close()
            if line is None and (line := server.answer()) is not None:
                for user in users:
                    user.sendall(line.encode() + b"\n")
            if came and not users and _alone(lock.fileno()):
                Path(address).unlink()
                break
        server.end()
        shutil.rmtree(folder)


def _still_there(user: socket.socket) -> bool:
    try:
        return bool(user.recv(16))
    except OSError:
        return False


def _alone(lock: int) -> bool:
    """Nobody is about to join: who does holds the lock until it is known here. The lock is then ours to the end."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
