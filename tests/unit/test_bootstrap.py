"""bootstrap.py without a network: which machine, which wheel, what is downloaded again, what is left alone."""

import ast
import hashlib
import importlib.util
import json
import os
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from resources.home import PROJECT_ROOT


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", PROJECT_ROOT / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Server(ThreadingHTTPServer):
    """Serves one file; `breaks_after` lists how many bytes the next answers give before the connection closes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.breaks_after = content, list[int]()
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file.whl"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.breaks_after.pop(0)] if self.server.breaks_after else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(os.urandom(300_000)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def quiet(_: str) -> None:
    pass


def test_a_broken_download_goes_on_where_it_stopped(bootstrap: ModuleType, server: Server, tmp_path: Path) -> None:
    server.breaks_after = [100_000, 50_000]
    target = tmp_path / "file.whl"
    bootstrap.download(server.url, target, hashlib.sha256(server.content).hexdigest(), quiet, wait=0)
    assert target.read_bytes() == server.content
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["file.whl"]


def test_the_next_process_resumes_too(bootstrap: ModuleType, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.whl.part").write_bytes(server.content[:200_000])
    bootstrap.download(server.url, tmp_path / "file.whl", hashlib.sha256(server.content).hexdigest(), quiet)
    assert server.ranges == ["bytes=200000-"]
    (tmp_path / "file.whl").rename(tmp_path / "file.whl.part")  # killed between the last byte and the rename
    bootstrap.download(server.url, tmp_path / "file.whl", hashlib.sha256(server.content).hexdigest(), quiet)
    assert (tmp_path / "file.whl").read_bytes() == server.content


def test_a_file_with_another_hash_is_thrown_away(bootstrap: ModuleType, server: Server, tmp_path: Path) -> None:
    with pytest.raises(bootstrap.RefusedError, match="thrown away"):
        bootstrap.download(server.url, tmp_path / "file.whl", "0" * 64, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_stays_broken_ends_with_one_paragraph(bootstrap: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(bootstrap.RefusedError, match="goes on from there") as refused:
        bootstrap.download("http://127.0.0.1:9/file.whl", tmp_path / "file.whl", "0" * 64, quiet, wait=0)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (((3, 10), "linux", "x86_64", "gnu"), "Python 3.11, 3.12 or 3.13, and this is 3.10"),
        (((3, 14), "darwin", "arm64", "gnu"), "this is 3.14"),
        (((3, 12), "win32", "x86_64", "gnu"), "WSL 2"),
        (((3, 12), "freebsd13", "x86_64", "gnu"), "Linux and macOS"),
        (((3, 12), "linux", "riscv64", "gnu"), "riscv64"),
        (((3, 12), "linux", "x86_64", "musl"), "glibc"),
    ],
)
def test_other_machines_get_one_sentence(bootstrap: ModuleType, machine: tuple[object, ...], words: str) -> None:
    sentence = bootstrap.refusal(*machine)
    assert words in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("system", ["linux", "darwin"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "arm64"])
@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_machines_pass_and_have_a_locked_uv(
    bootstrap: ModuleType, system: str, machine: str, version: tuple[int, int]
) -> None:
    assert bootstrap.refusal(version, system, machine, "gnu") is None
    lock = tomllib.loads((PROJECT_ROOT / "uv.lock").read_text())
    wheel = bootstrap.uv_wheel(lock, system, machine)
    name = wheel["url"].rsplit("/", 1)[1]
    assert ("manylinux" if system == "linux" else "macosx") in name
    assert ("x86_64" if machine == "x86_64" else "aarch64" if system == "linux" else "arm64") in name
    assert len(wheel["sha256"]) == 64


def test_the_pinned_uv_is_unpacked_from_its_wheel_and_found_again(
    bootstrap: ModuleType, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    wheel = tmp_path / "wheel.zip"
    with zipfile.ZipFile(wheel, "w") as bundle:
        bundle.writestr("uv-9.9.9.data/scripts/uv", "#!/bin/sh\necho uv 9.9.9\n")
    server.content = wheel.read_bytes()
    found = {"url": f"{server.url}?uv-9.9.9-manylinux_2_17_x86_64.whl", "hash": f"sha256:{_sha256(wheel)}"}
    lock = {"package": [{"name": "uv", "version": "9.9.9", "wheels": [found]}]}
    (tmp_path / ".uv").mkdir()
    path = bootstrap.uv_binary(tmp_path, lock, "linux", "x86_64", quiet)
    assert os.access(path, os.X_OK)
    assert bootstrap.uv_binary(tmp_path, lock, "linux", "x86_64", quiet) == path
    assert len(server.ranges) == 1


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_everything_uv_writes_stays_in_the_project(bootstrap: ModuleType, tmp_path: Path) -> None:
    env = bootstrap.sync_environment(tmp_path, {"VIRTUAL_ENV": "/else", "HOME": "/home/me", "SSL_CERT_FILE": "/ca.pem"})
    assert "VIRTUAL_ENV" not in env
    assert env["SSL_CERT_FILE"] == "/ca.pem"
    assert env["UV_PYTHON_DOWNLOADS"] == "never"
    for name in ("UV_CACHE_DIR", "UV_PROJECT_ENVIRONMENT", "TMPDIR"):
        assert Path(env[name]).is_relative_to(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose environment is stamped as installed for the tests."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (tmp_path / "uv.lock").write_text("version = 1\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def _stamp(bootstrap: ModuleType, project: Path, purpose: str) -> None:
    goal = bootstrap.wanted(project, bootstrap.GROUPS[purpose], (project / "uv.lock").read_bytes())
    (project / ".venv" / "spice-installed.json").write_text(json.dumps(goal))


def test_a_finished_environment_is_left_alone_also_for_fewer_groups(bootstrap: ModuleType, project: Path) -> None:
    _stamp(bootstrap, project, "test")
    assert bootstrap.install(project, "test", quiet) is False
    assert bootstrap.install(project, "demo", quiet) is False
    assert not (project / ".uv").exists()


@pytest.mark.parametrize("change", ["lock", "groups", "dependencies", "python", "moved"])
def test_what_no_longer_fits_is_installed_again(bootstrap: ModuleType, project: Path, change: str) -> None:
    _stamp(bootstrap, project, "demo")
    purpose = "test" if change == "groups" else "demo"
    if change == "lock":
        (project / "uv.lock").write_text("version = 1\n# new\n")
    if change == "dependencies":
        (project / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["y"]\n')
    if change == "python":
        (project / ".venv" / "bin" / "python").unlink()
    if change == "moved":
        project = project.rename(project.with_name("moved"))
    # The lock names no uv, so that a real installation would fail right there: it was begun.
    with pytest.raises((KeyError, StopIteration)):
        bootstrap.install(project, purpose, quiet)


def test_tool_settings_do_not_cause_an_installation(bootstrap: ModuleType, project: Path) -> None:
    _stamp(bootstrap, project, "demo")
    (project / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.ruff]\nline-length = 100\n')
    assert bootstrap.install(project, "demo", quiet) is False


def test_too_small_a_disk_is_said_before_anything_is_fetched(
    bootstrap: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "BUDGET", {"demo": (1, 10**9)})
    said: list[str] = []
    (project / ".venv" / "bin" / "python").unlink()
    (project / ".venv" / "bin").rmdir()
    (project / ".venv").rmdir()
    with pytest.raises(bootstrap.RefusedError, match="MB of disk are needed"):
        bootstrap.install(project, "demo", said.append)
    assert "downloads up to 1 MB" in said[0]


def test_no_registry_host_is_spelt_in_the_code() -> None:
    text = (PROJECT_ROOT / "bootstrap.py").read_text()
    assert "http" not in text.replace("import http.client", "").replace("http.client.", "").replace("UV_HTTP", "")


def test_an_old_python_can_read_the_file_and_gets_its_sentence(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ast.parse((PROJECT_ROOT / "bootstrap.py").read_text(), feature_version=(3, 6))
    monkeypatch.setattr(bootstrap, "this_machine", lambda: ((3, 6, 15), "linux", "x86_64", "gnu"))
    assert bootstrap.main([]) == 1
    said = capsys.readouterr().err
    assert "needs Python 3.11" in said
    assert said.count("\n") == 1
