"""What is told of a command: the receipt, and how it is found again in the log, by any process and however late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ontology_assets.commands.errors import CommandRefused, NoSuchCommand
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.queries.history import utc_text

Status = Literal["done", "unknown"]


@dataclass(frozen=True)
class Receipt:
    """A command's answer. `status` "done": durable in the log at `position`, `sequence` is the object's since then.

    "unknown": it is being committed, or not; it settles by itself, and the same command asked again is answered.
    `already`: it was in the log before it was asked for this time.
    """

    command_id: str
    status: Status
    domain: str
    type: str
    id: str
    event_type: str | None = None
    position: int | None = None
    sequence: int | None = None
    recorded_at: datetime | None = None
    already: bool = False

    def document(self) -> dict[str, Any]:
        told = {name: value for name, value in vars(self).items() if value is not None}
        return told if self.recorded_at is None else {**told, "recorded_at": utc_text(self.recorded_at)}


def find_command(logs: Sequence[tuple[EventLog, Heads]], command_id: str) -> Receipt:
    """The receipt of a command that is in one of the logs, exact at their ends.

    Raises NoSuchCommand, and CommandRefused where several logs have the id: ids are unique within a domain.
    """
    found = [receipt for log, heads in logs if (receipt := _in_log(log, heads, command_id)) is not None]
    if not found:
        raise NoSuchCommand(command_id)
    if len(found) > 1:
        raise CommandRefused(
            f"several domains have a command {command_id}; name one",
            where="domain",
            allowed=[one.domain for one in found],
        )
    return found[0]


def _in_log(log: EventLog, heads: Heads, command_id: str) -> Receipt | None:
    heads.catch_up(whole=False)
    known = heads.known_commands([command_id]).get(command_id)
    if known is None:
        return None
    (event,) = log.at([known.last]).to_pylist()
    return Receipt(
        command_id,
        "done",
        log.domain,
        event["aggregate_type"],
        event["aggregate_id"],
        event["event_type"],
        known.last,
        event["sequence_number"],
        event["recorded_at"],
        already=True,
    )
