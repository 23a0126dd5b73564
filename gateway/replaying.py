"""What `spice replay` and `/v1/replays` do: a replay run now as a Dagster job, requested as an event, or looked up."""

import uuid
from collections.abc import Sequence
from typing import Any

from gateway.readers import Readers
from gateway.runs import run_job
from ontology_assets.model.definitions import Domain
from ontology_assets.projections.rebuild.place import check_projection
from ontology_assets.projections.replay.replay import Replayed
from ontology_assets.projections.replay.requests import append, read_request, status
from ontology_assets.projections.replay.selection import Selection, months_in, unbroken
from resources.clock import utc_now
from resources.home import Home
from resources.locks import exclusive, remove
from resources.read_model.base import NothingYet


def replay(home: Home, projection: str, selection: Selection, domains: Sequence[Domain]) -> dict[str, Any]:
    """What the run did (one for each unbroken range of buckets). Raises SpiceError, also where something differs."""
    check_projection(projection)
    (days,) = selection.checked(domains).days
    months = months_in(days, domains, utc_now().date())
    asset = f"projection/{projection}/replay"
    asked = {"first_day": days[0].isoformat(), "last_day": days[1].isoformat(), "types": list(selection.types)}
    config = {**asked, **({"domain": selection.domain} if selection.domain else {})}
    done, runs = Replayed(), []
    for first, last in unbroken(selection.buckets):
        partitions = f"{first:x}|{months[0]}..{last:x}|{months[-1]}"
        outcome = run_job(home, f"replay_{projection}", partitions, bars=True, config={asset: config})
        runs.append(outcome["run_id"])
        done.add(outcome["reports"][asset])
    return {
        "projection": projection,
        "from": asked["first_day"],
        "to": asked["last_day"],
        **done.document(),
        "runs": runs,
    }


def request_replay(readers: Readers, document: object) -> dict[str, Any]:
    """Put a request into its domain's log; the same again is answered as it stands. Raises SpiceError."""
    wanted = read_request(document, readers.domains, uuid.uuid4().hex)
    months_in(wanted.selection.days[0], readers.domains, utc_now().date())
    log, lock = readers.log(wanted.domain), f"commands-{uuid.uuid4().hex}"
    if log.end().n < 0:
        raise NothingYet(f"log/{wanted.domain}")
    try:
        # As commands do: a log that is taken away under its writer would go on without its beginning.
        with exclusive(readers.home.locks, lock, holder="request of a replay"):
            append(log, readers.heads(wanted.domain), wanted)
    finally:
        remove(readers.home.locks, lock)
    return status([(log, readers.heads(wanted.domain))], wanted.id)


def replay_status(readers: Readers, request_id: str) -> dict[str, Any]:
    """What became of a request. Raises NoSuchReplay."""
    begun = [one.name for one in readers.domains if readers.log(one.name).end().n >= 0]
    return status([(readers.log(name), readers.heads(name)) for name in begun], request_id)
