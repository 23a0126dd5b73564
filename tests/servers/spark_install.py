"""`python -m tests.servers.spark_install`: real Spark for tests, in a folder of its own, as `uv.lock` pins it.

Never in `.venv`: the client wheel that the product uses owns the same `pyspark` folder. The folder is
`.uv/servers/spark-<version>` of the project, or below `$SPICE_TEST_SERVERS`, which several checkouts may share. It is
filled beside its place and moved there whole, so a half of it is never taken for Spark.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import bootstrap

PACKAGES = ("pyspark", "py4j")
JAVA = 17
ATTEMPTS = 4
FETCHED_MB, KEPT_MB = 435, 510
DISK_MB = 2600
"""What an installation needs while it runs: the archive, the wheel built of it, the folder."""


class NotInstalled(Exception):
    """Why there is no Spark, and how to get it."""


def servers_folder() -> Path:
    """Where servers for tests are kept from one run to the next."""
    return Path(os.environ.get("SPICE_TEST_SERVERS") or bootstrap.ROOT / ".uv" / "servers")


def installed() -> Path:
    """The folder that holds `pyspark/`, installed now if it is not there. Raises NotInstalled."""
    lock = tomllib.loads((bootstrap.ROOT / "uv.lock").read_text("utf-8"))
    pinned = {one["name"]: one for one in lock["package"] if one["name"] in PACKAGES}
    folder = servers_folder() / f"spark-{pinned['pyspark']['version']}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder, lock, pinned)
    return folder


def java() -> str:
    """The program of a Java that runs Spark. Raises NotInstalled."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    said = ""
    if found:
        answer = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
        said = answer.stderr.partition("\n")[0]
        major = "".join(said.partition('"')[2].partition(".")[0])
        if answer.returncode == 0 and major.isdigit() and int(major) >= JAVA:
            return found
    raise NotInstalled(
        f"the tests on real Spark need Java {JAVA} or later (found: {said or 'none'}): "
        "`apt-get install openjdk-17-jre-headless` (or another package manager's), or name one in JAVA_HOME."
    )


def _install(folder: Path, lock: dict[str, Any], pinned: dict[str, dict[str, Any]]) -> None:
    free = shutil.disk_usage(folder.parent).free // 1_000_000
    if free < DISK_MB:
        raise NotInstalled(
            f"real Spark needs {DISK_MB} MB of disk to be installed, and {free} MB are free in {folder.parent}; name "
            "another folder in SPICE_TEST_SERVERS."
        )
    print(
        f"Installing real Spark for tests into {folder}: fetches {FETCHED_MB} MB, needs {DISK_MB / 1000:.1f} GB of disk "
        f"meanwhile and {KEPT_MB} MB afterwards; {free / 1000:.1f} GB are free. Once.",
        flush=True,
    )
    part = folder.with_name(folder.name + ".part")
    requirements = folder.with_name(folder.name + ".txt")
    requirements.write_text("\n".join(_requirement(one) for one in pinned.values()) + "\n", "utf-8")
    _, system, machine, _ = bootstrap.this_machine()
    environment = bootstrap.sync_environment(bootstrap.ROOT, dict(os.environ))
    scratch = folder.parent / "tmp"  # 1.4 GB that nobody needs afterwards, so not the cache of `.venv`
    environment |= {"TMPDIR": str(scratch), "UV_CACHE_DIR": str(scratch / "cache")}
    uv = bootstrap.uv_binary(bootstrap.ROOT, lock, system, machine)
    command = [uv, "pip", "install", "--no-deps", "--require-hashes", "--target", str(part), "-r", str(requirements)]
    command += ["--python", sys.executable]
    for attempt in range(1, ATTEMPTS + 1):
        shutil.rmtree(part, ignore_errors=True)
        scratch.mkdir(exist_ok=True)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        if attempt == ATTEMPTS:
            raise NotInstalled(
                f"real Spark could not be installed into {folder} (tried {ATTEMPTS} times): {done.stderr.strip()}\n"
                "It is fetched once, 430 MB, from the package registry; with a network, run "
                "`.venv/bin/python -m tests.servers.spark_install` and the tests again."
            )
        time.sleep(5 * attempt)
    shutil.rmtree(scratch, ignore_errors=True)
    if not list((part / "pyspark" / "jars").glob("spark-connect_*.jar")):
        raise NotInstalled(f"{part} has no Spark Connect server: the package is not what uv.lock expects.")
    part.rename(folder)


def _requirement(package: dict[str, Any]) -> str:
    files = [*package.get("wheels", []), package["sdist"]]
    return f"{package['name']}=={package['version']} " + " ".join(f"--hash={one['hash']}" for one in files)


if __name__ == "__main__":
    try:
        java()
        print(installed())
    except (NotInstalled, bootstrap.RefusedError) as reason:
        sys.exit(str(reason))
