"""Which OVER clause each function of a window gets."""

from dataclasses import dataclass

from transforms.functions import Function


@dataclass(frozen=True)
class Over:
    """The OVER clauses of one window: `peers` leaves rows equal that are equal in the order, `strictly` knows no equal
    rows; of aggregates."""

    peers: str
    strictly: str
    aggregates: str

    def of(self, function: Function) -> str:
        """The clause that a function gets."""
        if function.kind == "aggregate":
            return self.aggregates
        return self.strictly if function.strict else self.peers

    def places(self, function: Function) -> bool:
        """Whether a function depends on the place of every row, and so on all columns."""
        return self.of(function) != self.peers
