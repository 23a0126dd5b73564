"""Faults of expressions: inside the walk without a file, outside it with one."""

from sqlglot import exp

from resources.errors import SpiceError


class Fault(Exception):
    """What is wrong, at a column (from 1) of the text where that is known; becomes an ExpressionError."""

    def __init__(self, detail: str, column: int | None = None, allowed: list[str] | None = None) -> None:
        super().__init__(detail)
        self.detail, self.column, self.allowed = detail, column, allowed


class ExpressionError(SpiceError):
    """An expression that is refused. `column` is the fault's column in the text, from 1 (which is the whole text's)."""

    kind = "urn:spice:expression-error"

    def __init__(self, fault: Fault, expression: str, where: str) -> None:
        self.column, self.fault_detail = fault.column or 1, fault.detail
        shown = expression if len(expression) <= 120 else expression[:117] + "..."
        shown = "".join(character if character.isprintable() else " " for character in shown)
        detail = f"{fault.detail.rstrip('.')} (in `{shown}` at column {self.column})."
        super().__init__("Expression error", detail, where=where, allowed=fault.allowed)


def place_of(node: exp.Expr) -> int | None:
    """Column (from 1) of the first character of a node, or of the nearest around it that knows its place."""
    here: exp.Expr | None = node
    while here is not None:
        starts = [part.meta["start"] for part in here.walk() if "start" in part.meta]
        if starts:
            return int(min(starts)) + 1
        here = here.parent
    return None
