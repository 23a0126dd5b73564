"""What can be wrong with the log or with what is offered to it."""

from typing import Any

from resources.errors import SpiceError


class LogDamaged(SpiceError):
    """A record, or a data file it names, is torn, altered, unchained, foreign or missing. Nobody goes past it."""

    kind = "spice:log-damaged"

    def __init__(self, domain: str, n: int, reason: str) -> None:
        self.domain, self.n, self.reason = domain, n, reason
        super().__init__(
            "The log is damaged",
            f"{reason}. Nothing is read or written past it; restore the object, then run `spice events verify`.",
            where=f"log/{domain}, record {n}",
            status=500,
        )


class DraftRefused(SpiceError):
    """What decide() made can't be a batch: a column, a sequence number or an id is wrong. Nothing was written."""

    kind = "spice:draft-refused"

    def __init__(self, domain: str, detail: str) -> None:
        super().__init__("The batch was refused", detail, where=f"log/{domain}")


class SequenceConflict(SpiceError):
    """An aggregate is not at the sequence that the caller expects: somebody else was faster. Nothing was written."""

    kind = "spice:sequence-conflict"

    def __init__(self, domain: str, aggregate_type: str, aggregate_id: str, expected: int, actual: int) -> None:
        self.aggregate_type, self.aggregate_id, self.expected, self.actual = (
            aggregate_type,
            aggregate_id,
            expected,
            actual,
        )
        super().__init__(
            "Sequence conflict",
            f"{aggregate_type} {aggregate_id} is at sequence {actual}, not {expected}. Read it again and decide anew.",
            where=f"log/{domain}",
            status=409,
        )

    def problem(self) -> dict[str, Any]:
        return {**super().problem(), "expected": self.expected, "actual": self.actual}


class EventIdReused(SpiceError):
    """An event id that is in the log already, with other content."""

    kind = "spice:event-id-reused"

    def __init__(self, domain: str, event_id: str, position: int, detail: str) -> None:
        super().__init__(
            "Event id used twice",
            f"event {event_id} is in the log at position {position} with other content ({detail}). "
            "A new fact needs a new id; a repeated one must be the same.",
            where=f"log/{domain}",
            status=409,
        )


class CommandIdReused(SpiceError):
    """A command id that is in the log already, for something else."""

    kind = "spice:command-id-reused"

    def __init__(self, domain: str, command_id: str) -> None:
        super().__init__(
            "Command id used twice",
            f"command {command_id} was given before, with another content. A new command needs a new id; "
            "a repeated one must be the same.",
            where=f"log/{domain}",
            status=409,
        )


class OutcomeUnknown(SpiceError):
    """The store did not say whether the record was taken. The same log object settles it before its next append."""

    kind = "spice:outcome-unknown"

    def __init__(self, domain: str, n: int, batch: str, cause: str) -> None:
        super().__init__(
            "Outcome unknown",
            f"batch {batch} was offered as record {n}; the store gave no answer ({cause}). "
            "It is either in the log or not; ask again with the same batch, never with another id.",
            where=f"log/{domain}",
            status=503,
        )


class SchemaVersionUnknown(SpiceError):
    """An event was written by newer code than this. Nobody guesses what it means."""

    kind = "spice:schema-version-unknown"

    def __init__(self, domain: str, position: int, event_type: str, version: str) -> None:
        super().__init__(
            "Schema version unknown",
            f"the event at position {position} is a {event_type} of schema version {version}, which this version of "
            "the product does not know and has no upcaster for; use the version that wrote it, or a later one.",
            where=f"log/{domain}",
            status=500,
        )


class SealMismatch(SpiceError):
    """The sealed history is not equal to the log."""

    kind = "spice:seal-mismatch"

    def __init__(self, table: str, detail: str) -> None:
        super().__init__("Sealed history differs from the log", detail, where=table, status=500)
