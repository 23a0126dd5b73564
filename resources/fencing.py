"""The one error of a writer that was overtaken.

Each store that a follower writes to keeps an epoch beside its data and checks it in the same transaction as every
write. A lease alone can't do that: a paused process does not know that it was paused.
"""

from resources.errors import SpiceError


class Fenced(SpiceError):
    """The store is held at another epoch than the writer's: nothing of this write was kept."""

    def __init__(self, store: str, *, mine: int, held: int) -> None:
        self.mine, self.held = mine, held
        super().__init__(
            "Fenced",
            f"this writer came with epoch {mine}, the store is held at epoch {held}; nothing was written. "
            "Ask for the lease again.",
            where=store,
            status=409,
        )
