"""The followers as op jobs: one run each, following the logs of all domains for 55 minutes.

When a run starts and what happens to a dead one belongs to `orchestration/sensors/keeper.py`; how a log is followed
belongs to `ontology_assets/followers/`.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from hashlib import sha256
from typing import Any

import dagster as dg

from ontology_assets.events.opening import open_log
from ontology_assets.followers.follow import follow
from ontology_assets.followers.history import another_history
from ontology_assets.followers.lease import lease_name
from ontology_assets.followers.progress import Ended, StopReason
from ontology_assets.followers.relay import Relay
from ontology_assets.followers.signals import StopOnSignal
from ontology_assets.followers.sink import FollowedLog, Sink
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.rebuild.retired import LOOK_SECONDS, keep_up
from ontology_assets.projections.sinks import OPTIONS as PROJECTIONS
from ontology_assets.projections.sinks import graph_sink, search_sink
from orchestration.runtime import Runtime
from resources.clock import utc_now
from resources.errors import SpiceError
from resources.home import Home
from resources.registry.base import Registry
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic

FOLLOW_SECONDS = 55 * 60.0
FOLLOWER_TAG = "spice/follower"
LOADED_TAG = "spice/loaded"
"""Which loading of the definitions the keeper had when it requested the run."""
SinkOf = Callable[[Home, Domain, FollowedLog], Sink]


def _relay(home: Home, domain: Domain, _log: FollowedLog) -> Sink:
    return Relay(SqliteTopic(home.topic), domain.name)


FOLLOWERS: Mapping[str, SinkOf] = {"topic": _relay, "search": search_sink, "graph": graph_sink}
"""The sink of each follower. The name is the sink's name in leases, the job's is `follow_<name>`."""


def stopped(home: Home, domains: Sequence[Domain], follower: str) -> dict[str, str]:
    """By domain: why the follower must not go on with it until somebody decides (another history); mostly empty.

    Whatever else is wrong, the follower's own run says.
    """
    found: dict[str, str] = {}
    for domain in domains:
        log = open_log(home, domain.name)
        sink = FOLLOWERS[follower](home, domain, log)
        try:
            fault = another_history(log, sink)
        except SpiceError:
            continue
        finally:
            sink.close()
        if fault is not None:
            found[domain.name] = fault.text()
    return found


def job_name(follower: str) -> str:
    return f"follow_{follower}"


def definitions_hash(domains: Sequence[Domain]) -> str:
    """Of everything that a follower takes from the definitions; equal for equal definitions in any process."""
    digest = sha256()
    for domain in sorted(domains, key=lambda d: d.name):
        digest.update(domain.model_dump_json().encode())
    return digest.hexdigest()


def loaded_mark(follower: str) -> str:
    """Registry key under which a follower's run says for which loading of the definitions it was started."""
    return f"loaded/{job_name(follower)}"


def follower_job(follower: str, domains: Sequence[Domain], *, seconds: float = FOLLOW_SECONDS) -> dg.JobDefinition:
    """The job of one follower; its run ends SUCCESS however it is told to stop, so a red one is a fault.

    A log that it must not go on with is left out, the others are followed, and the run is red in the end.
    """

    @dg.op(name=f"follow_the_log_to_{follower}", description=f"Keeps {follower} at the end of the event log.")
    def follow_the_log(context: dg.OpExecutionContext, runtime: Runtime) -> None:
        until = time.monotonic() + seconds
        registry = SqliteRegistry(runtime.home.registry)
        registry.set_mark(loaded_mark(follower), context.run.tags.get(LOADED_TAG, definitions_hash(domains)))
        with StopOnSignal() as signalled:
            left = stopped(runtime.home, domains, follower)
            for why in left.values():
                context.log.error(why)
            ends = follow_domains(
                runtime,
                registry,
                follower,
                [domain for domain in domains if domain.name not in left],
                run_id=context.run_id,
                until=until,
                stop=signalled,
                say=context.log.info,
            )
        for domain, ended in ends.items():
            context.log.info(
                "%s: %s at event %s; %s events in this run", domain, ended.reason, ended.position, ended.events
            )
        if left:
            raise dg.Failure(" ".join(left.values()), allow_retries=False)

    @dg.job(
        name=job_name(follower),
        description=f"Follows the event log for `{follower}`; kept running by the sensor follower_keeper.",
        executor_def=dg.in_process_executor,
        # A follower is light and must not wait behind loads.
        tags={FOLLOWER_TAG: follower, "dagster/priority": "10", "dagster/max_retries": "0"},
    )
    def follower_run() -> None:
        follow_the_log()

    return follower_run


def follow_domains(
    runtime: Runtime,
    registry: Registry,
    follower: str,
    domains: Sequence[Domain],
    *,
    run_id: str,
    until: float,
    stop: Callable[[], StopReason | None],
    say: Callable[[str], None],
) -> dict[str, Ended]:
    """Follow each domain's log in a thread of its own; when one ends, for whatever reason, the others end too.

    A process for each would cost 110 MB more for each domain. A fault in one is raised after the others have ended.
    """
    ending = threading.Event()

    def reason() -> StopReason | None:
        return stop() or (StopReason.REQUESTED if ending.is_set() else None)

    def follow_one(domain: Domain) -> Ended:
        log = runtime.log(domain.name)
        sink = FOLLOWERS[follower](runtime.home, domain, log)
        relieve(registry, lease_name(domain.name, sink.name), run_id)
        owner = f"run {run_id}"
        try:
            return follow(log, sink, registry, owner=owner, run_id=run_id, until=until, stop=reason, on_event=say)
        finally:
            sink.close()

    def follow_retired() -> None:
        """Also of a projection: the generation that an undo would ask again."""
        logs = [(domain, open_log(runtime.home, domain.name)) for domain in domains]
        while not ending.wait(LOOK_SECONDS):
            keep_up(runtime.home, follower, logs, registry, owner=f"run {run_id}", run_id=run_id)

    with ThreadPoolExecutor(max_workers=1 + len(domains)) as pool:
        running: dict[str, Future[Ended]] = {domain.name: pool.submit(follow_one, domain) for domain in domains}
        retired = [pool.submit(follow_retired)] if follower in PROJECTIONS else []
        try:
            every: list[Future[Any]] = [*running.values(), *retired]
            wait(every, return_when=FIRST_COMPLETED)
        finally:
            ending.set()
    for future in retired:
        future.result()
    return {name: future.result() for name, future in running.items()}


def relieve(registry: Registry, lease: str, run_id: str) -> bool:
    """Ask another follower's run that holds the lease to give it back, now that its successor is loaded and ready."""
    holder = registry.read(lease)
    if holder is None or holder.run_id == run_id or not holder.is_alive(utc_now()):
        return False
    return registry.request_stop(lease, f"run {run_id} takes over")
