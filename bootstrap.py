"""Install the locked environment into `.venv` with nothing but a Python: no pip, no ensurepip, no uv needed beforehand.

What belongs here: fetching the pinned uv (its address and hash stand in `uv.lock`) and running one `uv sync`. Standard
library only, and the syntax of Python 3.6, so that an old interpreter gets a sentence instead of a SyntaxError.
Nothing is written outside the project folder. `make demo` and `make test` call it; it is quick when all is there.
"""

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST, TOO_NEW = (3, 11), (3, 14)

# Measured on Linux x86-64 with an empty cache: (MB fetched, MB on disk with the cache and the demo's data).
BUDGET = {"demo": (340, 2000), "test": (470, 2500)}
GROUPS = {"demo": ("demo",), "test": ("demo", "test")}
ATTEMPTS = 5


class RefusedError(Exception):
    """Said to the person as one paragraph; the exit status is 1."""


def refusal(version, system, machine, libc):
    """Why this machine can't run the product, in one sentence, or None."""
    if system not in ("linux", "darwin"):
        return f"SPICE HARVESTER runs on Linux and macOS (this is {system}); on Windows use WSL 2."
    if not OLDEST <= tuple(version[:2]) < TOO_NEW:
        found = ".".join(str(part) for part in version[:2])
        return f"SPICE HARVESTER needs Python 3.11, 3.12 or 3.13, and this is {found}: say PYTHON=python3.12 or alike."
    if machine not in ("x86_64", "aarch64", "arm64"):
        return f"SPICE HARVESTER runs on 64-bit x86 and ARM processors, and this one is {machine}."
    if libc == "musl":
        return "SPICE HARVESTER needs a Linux with glibc: its engine is not built for musl (Alpine and alike)."
    return None


def this_machine():
    """(version, system, machine, libc) of the running interpreter."""
    libc = "musl" if "musl" in str(sysconfig.get_config_var("SOABI")) else "gnu"
    return sys.version_info, sys.platform.lower(), platform.machine().lower().replace("amd64", "x86_64"), libc


def uv_wheel(lock, system, machine):
    """The locked uv wheel for a platform: {"version", "url", "sha256"}."""
    if system == "linux":
        pattern = r"manylinux_2_\d+_" + machine.replace("arm64", "aarch64") + r"\b"
    else:
        pattern = r"macosx_\d+_\d+_" + machine.replace("aarch64", "arm64") + r"\b"
    package = next(p for p in lock["package"] if p["name"] == "uv")
    found = [w for w in package["wheels"] if re.search(pattern, w["url"].rsplit("/", 1)[1].replace(".", " "))]
    if not found:
        raise RefusedError(f"uv.lock names no uv for {system} on {machine}.")
    return {"version": package["version"], "url": found[0]["url"], "sha256": found[0]["hash"].partition(":")[2]}


def wanted(root, groups, lock_bytes):
    """What a finished environment is for: compared with the stamp inside `.venv`."""
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    parts = {key: project.get(key) for key in ("project", "dependency-groups", "build-system")}
    text = json.dumps([parts, hashlib.sha256(lock_bytes).hexdigest(), str(root)], sort_keys=True)
    return {"digest": hashlib.sha256(text.encode()).hexdigest(), "root": str(root), "groups": sorted(groups)}


def read_stamp(venv):
    """The stamp of the last finished installation, {} if there is none or its interpreter has gone."""
    try:
        stamp = json.loads((venv / "spice-installed.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if os.access(str(venv / "bin" / "python"), os.X_OK) else {}


def download(url, target, sha256, log=print, wait=1.0):
    """Fetch `url` into `target`, going on where an earlier try (also of an earlier process) stopped."""
    part = target.with_name(target.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            fetch_rest(url, part)
            break
        except urllib.error.HTTPError as fault:
            if fault.code == 416:  # the server has nothing after what we hold: it is complete, or not this file at all
                break
            problem = fault
        except (OSError, http.client.HTTPException) as fault:
            problem = fault
        if attempt == ATTEMPTS:
            raise RefusedError(
                f"Could not download {url} ({problem}). What arrived is kept in {part}: check the network or the proxy "
                "(HTTPS_PROXY, SSL_CERT_FILE) and run the same command again; it goes on from there."
            )
        log(f"  connection broke ({problem}), going on in {wait * attempt:.0f} s ...")
        time.sleep(wait * attempt)
    found = hashlib.sha256(part.read_bytes()).hexdigest()
    if found != sha256:
        part.unlink()
        raise RefusedError(
            f"{url} came with sha256 {found} where uv.lock says {sha256}, so it was thrown away: run again, and if it "
            "stays so, something between here and the server changes files."
        )
    part.replace(target)


def fetch_rest(url, part):
    """One request for what is missing of a file."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        mode = "ab" if answer.status == 206 else "wb"
        with part.open(mode) as out:
            shutil.copyfileobj(answer, out, 1 << 16)
        promised = answer.headers.get("Content-Length")
    # A connection that closes early looks like an end of file to copyfileobj.
    if promised is not None and part.stat().st_size != int(promised) + (have if mode == "ab" else 0):
        raise http.client.IncompleteRead(b"")


def uv_binary(root, lock, system, machine, log=print):
    """Path of the pinned uv: ours, else one at hand of exactly that version, else downloaded."""
    wheel = uv_wheel(lock, system, machine)
    folder = root / ".uv"
    own = folder / ("uv-" + wheel["version"])
    at_hand = [str(own)] if own.exists() else [p for p in [shutil.which("uv")] if p]
    for path in at_hand:
        command = [path, "--version"]
        answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
        if answer.stdout.decode().split()[1:2] == [wheel["version"]]:
            return path
    log("Fetching uv " + wheel["version"] + " ...")
    archive = folder / wheel["url"].rsplit("/", 1)[1]
    download(wheel["url"], archive, wheel["sha256"], log)
    unpacked = own.with_name(own.name + ".part")
    with zipfile.ZipFile(str(archive)) as bundle, unpacked.open("wb") as out:
        name = next(n for n in bundle.namelist() if n.endswith(".data/scripts/uv"))
        with bundle.open(name) as binary:
            shutil.copyfileobj(binary, out)
    unpacked.chmod(0o755)
    unpacked.replace(own)
    archive.unlink()
    return str(own)


def sync_command(uv, groups):
    """The one call of uv: exactly the lock, into `.venv`, with the interpreter that runs this file."""
    python = getattr(sys, "_base_executable", sys.executable)  # not the one of a .venv that uv may have to replace
    command = [uv, "sync", "--frozen", "--no-default-groups", "--extra", "sail", "--python", python]
    for group in groups:
        command += ["--group", group]
    return command


def sync_environment(root, given):
    """The environment variables for uv: everything it writes stays in the project, no Python is downloaded."""
    dropped = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "UV_PROJECT", "UV_WORKING_DIR", "UV_NO_SYNC")
    env = {key: value for key, value in given.items() if key not in dropped}
    env.update(
        UV_PROJECT_ENVIRONMENT=str(root / ".venv"),
        UV_CACHE_DIR=str(root / ".uv" / "cache"),
        UV_PYTHON_DOWNLOADS="never",
        UV_COMPILE_BYTECODE="1",  # else the first run pays for it
        UV_NO_PROGRESS=given.get("UV_NO_PROGRESS", "" if sys.stderr.isatty() else "1"),
        TMPDIR=str(root / ".uv" / "tmp"),
    )
    if not env["UV_NO_PROGRESS"]:
        del env["UV_NO_PROGRESS"]
    # uv keeps each finished package but no half of one: few at a time means that a break loses little.
    for key, value in (("UV_HTTP_TIMEOUT", "60"), ("UV_HTTP_RETRIES", "8"), ("UV_CONCURRENT_DOWNLOADS", "6")):
        env.setdefault(key, value)
    return env


def announce(root, purpose, log):
    """Say what comes, and refuse when the disk is too small for it."""
    fetched, kept = BUDGET[purpose]
    free = shutil.disk_usage(str(root)).free // 1_000_000
    minutes = max(1, round(fetched * 8 / 50 / 60 + 0.5))
    log(
        f"Installing SPICE HARVESTER into {root}/.venv: downloads up to {fetched} MB (about {minutes} min at "
        f"50 Mbit/s), needs {kept / 1000:.1f} GB of disk with its data; {free / 1000:.1f} GB are free. "
        "Nothing is written outside this folder. Later runs need no network."
    )
    if free < kept and not (root / ".venv").exists():
        raise RefusedError(f"Not started: {kept} MB of disk are needed and {free} MB are free in {root}.")


@contextlib.contextmanager
def only_one(folder, log):
    """Two installations of one checkout run one after the other."""
    import fcntl

    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            log("Another installation of this folder is running; waiting for it ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install(root, purpose, log=print):
    """Bring `.venv` to the lock with the groups of `purpose`; True if anything had to be done."""
    import tomllib

    venv, folder = root / ".venv", root / ".uv"
    lock_bytes = (root / "uv.lock").read_bytes()
    goal = wanted(root, GROUPS[purpose], lock_bytes)

    def satisfied():
        stamp = read_stamp(venv)
        return stamp.get("digest") == goal["digest"] and set(goal["groups"]) <= set(stamp["groups"])

    if satisfied():
        return False
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    with only_one(folder, log):
        if satisfied():
            return False
        announce(root, purpose, log)
        started = time.monotonic()
        stamp = read_stamp(venv)
        if stamp and stamp["root"] != str(root):
            shutil.rmtree(str(venv))  # the folder was moved: scripts in it point at the old place; the cache came along
        _, system, machine, _ = this_machine()
        uv = uv_binary(root, tomllib.loads(lock_bytes.decode()), system, machine, log)
        groups = sorted(set(goal["groups"]) | set(stamp.get("groups", [])))
        with contextlib.suppress(OSError):
            (venv / "spice-installed.json").unlink()
        command, environment = sync_command(uv, groups), sync_environment(root, os.environ)
        status = subprocess.run(command, cwd=str(root), env=environment, check=False).returncode  # noqa: S603
        if status != 0:
            raise RefusedError(
                f"The installation did not finish (uv ended with {status}, its message is above). If the network "
                "broke, run the same command again: what arrived is kept in .uv/cache and is not fetched twice."
            )
        shutil.rmtree(str(folder / "tmp"), ignore_errors=True)
        goal["groups"] = groups
        (venv / "spice-installed.json").write_text(json.dumps(goal), encoding="utf-8")
        log(f"Installed in {time.monotonic() - started:.0f} s.")
        return True


def main(argv=None):
    """Exit status 0 when the environment is ready."""
    sentence = refusal(*this_machine())
    if sentence:
        sys.stderr.write(sentence + "\n")
        return 1
    parser = argparse.ArgumentParser(description="Install the locked environment into .venv")
    parser.add_argument("--group", choices=sorted(GROUPS), default="demo", help="demo: to run it; test: to test it too")
    arguments = parser.parse_args(argv)
    try:
        install(ROOT, arguments.group, lambda line: print(line, file=sys.stderr, flush=True))
    except RefusedError as reason:
        sys.stderr.write(str(reason) + "\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; run the same command again and it goes on.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
