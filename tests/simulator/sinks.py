"""What was last seen of a sink, and how it may move."""

from tests.simulator.fold import Fold
from tests.simulator.machine import Process
from tests.simulator.truth import Violation


class SinkSeen:
    """What was last seen of a sink."""

    def __init__(self) -> None:
        self.position = self.epoch = 0
        self.holder: Process | None = None
        self.fold = Fold()
        self.looked = False

    def moved(self, name: str, position: int, epoch: int, process: Process, end: int) -> None:
        """A commit left it there; the log ends at `end`."""
        if position < self.position:
            raise Violation("I10 the position never goes back", f"{name} went from {self.position} to {position}")
        if position > end:
            raise Violation("I9 nothing before the log", f"{name} is at {position}, the log at {end}")
        if epoch < self.epoch:
            raise Violation("I12 epochs rise", f"{name} went from epoch {self.epoch} to {epoch}")
        if epoch > self.epoch:
            self.epoch, self.holder = epoch, process
        elif position != self.position and self.holder is not process:
            raise Violation(
                "I12 an old epoch moves nothing",
                f"{name} was moved to {position} by {process.name}, which does not hold epoch {epoch}",
            )
        self.position = position
