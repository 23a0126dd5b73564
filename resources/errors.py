"""The one shape of an error that a user can mend: an RFC 9457 problem."""

from typing import Any


class SpiceError(Exception):
    """A fault with its place and what would be right.

    `title` names the kind, `detail` says what is wrong and what to do, `where` is a place (file:line, field, path),
    `allowed` lists the accepted values. `status` is the HTTP status the gateway answers with.
    """

    kind = "about:blank"
    passes = True
    """Of a status of 503: whether it passes by itself, so that asking again is worth it."""

    def __init__(
        self, title: str, detail: str, *, where: str | None = None, allowed: list[str] | None = None, status: int = 400
    ) -> None:
        self.title, self.detail, self.where, self.allowed, self.status = title, detail, where, allowed, status
        super().__init__(self.text())

    def text(self) -> str:
        """One paragraph for a terminal: place, title, detail, allowed values."""
        place = f"{self.where}: " if self.where else ""
        detail = self.detail if self.detail.endswith((".", "?", "!")) else f"{self.detail}."
        allowed = f" Allowed: {', '.join(self.allowed)}." if self.allowed else ""
        return f"{place}{self.title}: {detail}{allowed}"

    def problem(self) -> dict[str, Any]:
        """The problem document (RFC 9457), with our two extension members."""
        document: dict[str, Any] = {
            "type": self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.where is not None:
            document["where"] = self.where
        if self.allowed is not None:
            document["allowed"] = self.allowed
        return document

    @classmethod
    def of(cls, problem: dict[str, Any]) -> "SpiceError":
        """The error of a problem document that another process gave."""
        members = {name: problem.get(name) for name in ("where", "allowed")}
        return cls(problem["title"], problem["detail"], status=problem["status"], **members)
