"""What stops a follower: each says where, with the numbers, and what to do. The log and the store are as they were."""

from resources.errors import SpiceError


class EventsMissing(SpiceError):
    """The log skipped a position."""


class FollowerStalled(SpiceError):
    """Another process holds the lease and does not get on."""


class AnotherHistory(SpiceError):
    """The store was fed from another history than the log has now: most likely a backup of the log was restored."""

    kind = "spice:another-history"

    def __init__(self, domain: str, sink: str, *, position: int, end: int, record: int | None) -> None:
        self.domain, self.sink, self.position, self.end = domain, sink, position, end
        has = "" if record is None else f"; record {record}, from which its last event came, is another one now or gone"
        super().__init__(
            "Another history",
            f"{sink} stands at event {position:,}; the log of {domain} ends at event {end:,}{has}. Was an older copy "
            f"of the log restored? Nothing was read or written. If the log is right as it is: {offer(sink)}. "
            "If it is not: put the right log back; following goes on by itself.",
            where=f"follower/{domain}/{sink}",
            status=409,
        )


def offer(sink: str) -> str:
    """What brings the store of that name in line with the log."""
    again = f"`spice projection rebuild {sink}` builds it again from the log"
    if sink != "topic":
        return again
    return f"{again}, into a new topic (the old one is kept beside it), and consumers begin anew"
