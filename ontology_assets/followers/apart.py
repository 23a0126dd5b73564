"""`python -m ontology_assets.followers.apart`: one projection caught up in a process of its own.

Two projections in two threads take turns at Python's lock (20 s of CPU in 14 s); in two processes each has a core. The
request comes as one JSON document on stdin, the answer goes as one line of JSON to stdout, a fault as text to stderr.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import orjson

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()  # before anything that uses pyarrow: it would cost this short process half a second

from ontology_assets.events.log import EventLog  # noqa: E402
from ontology_assets.events.opening import open_log  # noqa: E402
from ontology_assets.followers.follow import catch_up  # noqa: E402
from ontology_assets.followers.progress import CaughtUp  # noqa: E402
from ontology_assets.model.definitions import Domain  # noqa: E402
from ontology_assets.projections.sinks import ProjectionSink, graph_sink, search_sink  # noqa: E402
from resources.errors import SpiceError  # noqa: E402
from resources.home import PROJECT_ROOT, Home  # noqa: E402
from resources.registry.sql import SqliteRegistry  # noqa: E402

SINKS: Mapping[str, Callable[[Home, Domain, EventLog], ProjectionSink]] = {"search": search_sink, "graph": graph_sink}
LOOK_SECONDS = 0.25


def catch_up_here(home: Home, domain: Domain, projection: str, *, owner: str, run_id: str) -> CaughtUp:
    """Bring one projection to the end of the domain's log, in this process."""
    log = open_log(home, domain.name)
    registry = SqliteRegistry(home.registry)
    sink = SINKS[projection](home, domain, log)
    try:
        return catch_up(log, sink, registry, owner=owner, run_id=run_id)
    finally:
        sink.close()
        registry.close()


def catch_up_apart(
    home: Home,
    domain: Domain,
    projection: str,
    *,
    owner: str,
    run_id: str,
    on_position: Callable[[int], None] = lambda _: None,
) -> CaughtUp:
    """The same in a process of its own. Raises SpiceError with what that process said if it failed."""
    request = {
        "home": str(home.root),
        "domain": domain.model_dump(mode="json"),
        "projection": projection,
        "owner": owner,
        "run_id": run_id,
    }
    log = open_log(home, domain.name)
    sink = SINKS[projection](home, domain, log)
    with subprocess.Popen(
        [sys.executable, "-m", "ontology_assets.followers.apart"],
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - asked for above
        process.stdin.write(orjson.dumps(request))
        process.stdin.close()
        process.stdin = None  # communicate() would write to it
        try:
            while process.poll() is None:
                on_position(sink.position())
                time.sleep(LOOK_SECONDS)
        except BaseException:
            process.terminate()
            raise
        finally:
            sink.close()
        answer, said = process.communicate()
    if process.returncode:
        text = said.decode(errors="replace").strip()[-2000:]
        raise SpiceError(
            "Projection failed",
            f"following in a process of its own ended {process.returncode}: {text}",
            where=f"{domain.name}/{projection}",
            status=500,
        )
    return CaughtUp(**orjson.loads(answer))


def main() -> int:
    request = orjson.loads(sys.stdin.buffer.read())
    try:
        done = catch_up_here(
            Home(Path(request["home"])),
            Domain.model_validate(request["domain"]),
            request["projection"],
            owner=request["owner"],
            run_id=request["run_id"],
        )
    except SpiceError as error:
        sys.stderr.write(error.text())
        return 1
    sys.stdout.buffer.write(orjson.dumps(asdict(done)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
