"""`spice dev`: a small supervisor of the Dagster UI, the daemon, their one code server, and the gateway (HTTP API).

Three rules: Ctrl-C or SIGTERM stops everything in order; however this process ends, nothing of it is left over; one
home is served by one `spice dev`. A shared code server loads the definitions once, where UI and daemon would load them
once each (measured with an empty location: 25 MB and 1 s of processor less), and it can reload them.
"""

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from gateway.dev_files import DevFiles
from gateway.dev_processes import MARK, UNFINISHED, Child, end_family, socket_answers
from gateway.home_format import check_format
from gateway.ports import answers, choose_port, url_of
from gateway.web_guard import is_loopback
from resources.addresses import DAGSTER_PORT, DAGSTER_URL, GATEWAY_PORT, GATEWAY_URL
from resources.errors import SpiceError
from resources.home import PROJECT_ROOT, Home
from resources.instance import ensure_instance, instance_environment
from resources.locks import exclusive

RUNS_SECONDS = 16.0
SERVERS_SECONDS = 5.0
CODE_SECONDS = 60.0
Say = Callable[[str], None]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Serving:
    """What is served where: `module` holds the definitions as `defs`; the gateway has `gateway_port`."""

    host: str
    port: int
    gateway_port: int
    module: str
    location: str

    @property
    def url(self) -> str:
        """Of the Dagster UI."""
        return url_of(self.host, self.port)

    @property
    def gateway_url(self) -> str:
        return url_of(self.host, self.gateway_port)


class Supervisor:
    """Starts, watches, restarts and ends the processes of one `spice dev`."""

    def __init__(self, home: Home, serving: Serving, say: Say) -> None:
        self.say = say
        self.id = uuid.uuid4().hex
        self.files = DevFiles.prepare(home, serving.location, self.id)
        self.env = {
            **os.environ,
            **self.files.environment(),
            **instance_environment(home),
            "GX_ANALYTICS_ENABLED": "false",
            "PYTHONUNBUFFERED": "1",
            DAGSTER_URL: serving.url,
            GATEWAY_URL: serving.gateway_url,
            MARK: self.id,
        }
        python, sock = [sys.executable, "-m"], str(self.files.socket)
        where = ["--host", serving.host, "--port", str(serving.port), "--location", serving.location]
        what = ["--module-name", serving.module, "--attribute", "defs", "--location-name", serving.location]
        self.code = self._child("code", [*python, "dagster", "code-server", "start", "--socket", sock, *what])
        self.ui = self._child("ui", [*python, "gateway.ui_server", "--socket", sock, *where])
        self.daemon = self._child("daemon", [*python, "dagster._daemon", "run", "-w", str(self.files.workspace)])
        there = ["--host", serving.host, "--port", str(serving.gateway_port)]
        self.gateway = self._child("gateway", [*python, "gateway.api_server", *there])
        self.settling = self._child("settle", [*python, "gateway.dev_runs", "settle"])
        self.serving = serving
        self.announced: set[str] = set()
        self.signals, self.signalled = 0, 0.0
        self.watchdog: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Serve until told to stop; the exit status."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        former = {number: signal.signal(number, self._on_signal) for number in _STOP_SIGNALS}
        former_wake = signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        try:
            self._start_watchdog()
            for child in (self.settling, self.code, self.ui, self.gateway):
                child.start(self.env, PROJECT_ROOT)
            failed = False
            while not self.signals and not failed:
                select.select([wake_read], [], [], 0.5)
                failed = not self._tick()
            self._stop()
            return 1 if failed else 0
        finally:
            # Also on a fault of our own: nothing may be left over.
            end_family(self.id, 1.0)
            self._release_watchdog()
            signal.set_wakeup_fd(former_wake)
            for number, handler in former.items():
                signal.signal(number, handler)
            os.close(wake_read)
            os.close(wake_write)

    def _child(self, name: str, command: list[str]) -> Child:
        return Child(name, command, self.files.log(name))

    def _on_signal(self, _number: int, _frame: object) -> None:
        # `make` hands a SIGTERM on that its group got anyway: two at once are one.
        now = time.monotonic()
        if now - self.signalled > 1.0:
            self.signals += 1
            self.signalled = now

    def _start_watchdog(self) -> None:
        env = {key: value for key, value in self.env.items() if key != MARK}
        command = [sys.executable, "-m", "gateway.dev_watch", self.id]
        self.watchdog = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, env=env, cwd=PROJECT_ROOT, start_new_session=True
        )

    def _release_watchdog(self) -> None:
        if self.watchdog is not None and self.watchdog.poll() is None:
            self.watchdog.communicate(b".")

    def _tick(self) -> bool:
        """One look at everything; False when it can't go on."""
        if self.watchdog is None or self.watchdog.poll() is not None:
            self._start_watchdog()
        # The daemon comes when runs of a killed predecessor have their end, and there is code to load.
        if self.daemon.process is None and self.daemon.attempts == 0 and self.settling.died():
            waited = time.monotonic() - self.code.started > CODE_SECONDS
            if waited or socket_answers(str(self.files.socket)):
                self.daemon.start(self.env, PROJECT_ROOT)
        now = time.monotonic()
        for child in (self.code, self.ui, self.daemon, self.gateway):
            if child.died() and not self._plan_restart(child, now):
                return False
            if child.process is None and child.attempts and now >= child.retry_at:
                child.start(self.env, PROJECT_ROOT)
        self._announce("Explorer and HTTP API", self.serving.gateway_url, "/openapi.json")
        self._announce("Dagster UI", self.serving.url, "/server_info")
        return True

    def _announce(self, name: str, url: str, probe: str) -> None:
        """Say where something is, once it answers."""
        if name in self.announced or not answers(url + probe):
            return
        self.announced.add(name)
        both = len(self.announced) == 2
        self.say(f"{name}: {url}" + (f"   (Ctrl-C stops everything; logs in {self.files.logs})" if both else ""))

    def _plan_restart(self, child: Child, now: float) -> bool:
        status = child.process.returncode if child.process else None
        if child.after_death(now):
            self.say(f"The {child.name} process ended (status {status}); starting it again.")
            return True
        self.say(f"The {child.name} process ends again and again (status {status}). The end of {child.log}:")
        self.say(child.tail())
        return False

    def _stop(self) -> None:
        """Runs first, while the server that executes them still reports for them; then the servers."""
        self.say("Stopping ...")
        signals = self.signals
        self.daemon.terminate()  # it would launch new runs, and so would the page
        self.ui.terminate()
        self.gateway.terminate()
        # While it dequeues a run, no code server may go: the run would be called failed ("told to shut down").
        deadline = time.monotonic() + SERVERS_SECONDS
        while self.daemon.alive() and self.signals == signals and time.monotonic() < deadline:
            time.sleep(0.05)
        unfinished = self._runs("stop", signals) != 0
        killed = end_family(self.id, SERVERS_SECONDS if self.signals == signals else 0.0)
        if unfinished:
            self._runs("cancel", self.signals)
        self.say("Stopped." if not killed else f"Stopped ({len(killed)} processes had to be killed).")

    def _runs(self, action: str, signals: int) -> int:
        """Call `gateway.dev_runs`; UNFINISHED when it takes too long or a second signal says hurry."""
        helper = self._child("runs", [sys.executable, "-m", "gateway.dev_runs", action])
        helper.start(self.env, PROJECT_ROOT)
        deadline = time.monotonic() + RUNS_SECONDS
        while not helper.died():
            if time.monotonic() > deadline or self.signals > signals:
                helper.terminate()
                return UNFINISHED
            time.sleep(0.05)
        return helper.process.returncode if helper.process else UNFINISHED


def _set_up_instance(home: Home) -> None:
    """Dagster is imported to make its tables, and never again in this process: it would stay 80 MB larger."""
    if (home.dagster / "dagster.yaml").exists():
        ensure_instance(home)
        return
    command = [sys.executable, "-m", "gateway.dev_runs", "setup"]
    done = subprocess.run(  # noqa: S603 - our own module
        command, env={**os.environ, **instance_environment(home)}, cwd=PROJECT_ROOT, check=False
    )
    if done.returncode != 0:
        raise SpiceError("No Dagster instance", "its tables could not be made, see above.", where=str(home.dagster))


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_dev(
    home: Home,
    *,
    host: str = "127.0.0.1",
    port: int = DAGSTER_PORT,
    gateway_port: int = GATEWAY_PORT,
    module: str = "orchestration.definitions",
    location: str = "spice",
    say: Say = _say,
) -> int:
    """Serve one home until Ctrl-C; the exit status. `module` holds the definitions as `defs`."""
    check_format(home)
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(home.locks, "dev", holder="spice dev", wait_seconds=0))
        except SpiceError:
            other = (home.locks / "dev.lock").read_text(encoding="utf-8").strip()
            raise SpiceError(
                "Already served",
                f"{home.root} is served by another {other}: use its page, stop it, or name another home.",
                where="--home",
                status=409,
            ) from None
        former = DevFiles.former_id(home)
        if former:
            end_family(former, SERVERS_SECONDS)  # of a supervisor that was killed a moment ago
        _set_up_instance(home)
        ui_port = choose_port(port, host, "--port", say)
        api_port = choose_port(gateway_port, host, "--gateway-port", say, but=ui_port)
        if not is_loopback(host):
            say(
                f"Warning: {host} is reached by other machines, and neither the Dagster UI nor the gateway has a login."
            )
        say("Starting (about 10 s) ...")
        return Supervisor(home, Serving(host, ui_port, api_port, module, location), say).run()
