"""Giving up an event: an `EventSkipped` in the history of its object says that it is void for read models, and why.

It is an event because read models are fed by the log alone: a rebuild, a comparison or a model on another machine must
come to the same rows (docs/decisions/0013).
"""

from dataclasses import dataclass

import pyarrow as pa

from ontology_assets.canonical import state_hash
from ontology_assets.events.envelope import Draft, NewEvent, derived_id
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.state import state_text
from ontology_assets.projections.deadletters.letters import DeadLetter
from ontology_assets.projections.skips import SKIPPED, Skip
from resources.errors import SpiceError

MOST_REASON = 1_000


@dataclass(frozen=True)
class Skipped:
    """`position`: of the `EventSkipped` in the log. `already`: it was there."""

    letter: DeadLetter
    position: int
    already: bool


def skip(log: EventLog, heads: Heads, letter: DeadLetter, reason: str, actor: str | None = None) -> Skipped:
    """Append the skip of the event that blocks; durable when this returns. Read models show it when they follow.

    Decided on the object's head, so a load or a command that comes between is no harm. Raises SpiceError.
    """
    if not 0 < len(reason.strip()) <= MOST_REASON:
        raise SpiceError(
            "Reason needed",
            "a skip is in the log for ever, and says why",
            where="reason",
            allowed=[f"1 to {MOST_REASON:,} characters"],
        )
    event_id = derived_id("skip", letter.event_id)

    def decided(now: Heads) -> Draft | None:
        return None if now.known_events([event_id]) else Draft(log.new_id(), inline=[_event(log, now, letter, made)])

    made = (event_id, reason.strip(), actor)
    commit = log.append(heads, decided, whole=False)
    if commit is None:
        return Skipped(letter, heads.known_events([event_id])[event_id].position, already=True)
    return Skipped(letter, commit.last, already=False)


def _event(log: EventLog, heads: Heads, letter: DeadLetter, made: tuple[str, str, str | None]) -> NewEvent:
    event_id, reason, actor = made
    (head,) = heads.lookup(letter.type, pa.array([letter.id])).to_pylist()
    try:
        state = state_text(log.states([head["position"]])["data"][0].as_py())
    except ValueError as fault:
        raise SpiceError(
            "No state",
            "the object's last event has no state, and a skip repeats it. Bring in a state first: load the object "
            "again, or send a command",
            where=f"{letter.domain} at event {head['position']}",
            status=409,
        ) from fault
    return NewEvent(
        event_id=event_id,
        event_type=SKIPPED,
        aggregate_type=letter.type,
        aggregate_id=letter.id,
        sequence_number=head["sequence"] + 1,
        data=Skip(letter.sequence, letter.event_id, reason).data(state),
        state_hash=state_hash(state),
        actor=actor,
        owner=head["owner"],
    )
