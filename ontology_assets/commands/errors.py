"""Why a command is refused. A refused command wrote nothing, and its id may be used again."""

from collections.abc import Iterable, Mapping
from typing import Any

from resources.errors import SpiceError


class CommandRefused(SpiceError):
    """The command is wrong: where, why, and what is allowed."""

    kind = "spice:command-refused"

    def __init__(self, detail: str, *, where: str, allowed: Iterable[str] | None = None) -> None:
        super().__init__("Command refused", detail, where=where, allowed=None if allowed is None else list(allowed))


class OwnedByFiles(SpiceError):
    """The objects of the type come from datasets, and its mapping does not allow edits."""

    kind = "spice:owned-by-files"

    def __init__(self, type_name: str, file: str) -> None:
        super().__init__(
            "Owned by files",
            f"objects of {type_name} are made by loads, as {file} says. Change the data, or say `edits: allowed` in "
            "its mapping there.",
            where=file,
            status=409,
        )


class ObjectExists(SpiceError):
    """There is an object of this key already."""

    kind = "spice:object-exists"

    def __init__(self, type_name: str, object_id: str, sequence: int) -> None:
        super().__init__(
            "Object exists",
            f"{type_name} {object_id} is there already, at sequence {sequence}; update it.",
            where=f"{type_name}/{object_id}",
            status=409,
        )


class NoSuchObject(SpiceError):
    """There is no object of this key to update or delete."""

    kind = "spice:not-found"

    def __init__(self, type_name: str, object_id: str) -> None:
        super().__init__(
            "Not found", f"there is no {type_name} {object_id}", where=f"{type_name}/{object_id}", status=404
        )


class NoSuchCommand(SpiceError):
    """No log has a command of this id."""

    kind = "spice:not-found"

    def __init__(self, command_id: str) -> None:
        super().__init__(
            "Not found",
            f"no log has a command {command_id}: it was never sent, was refused, or is being committed just now. "
            "Sent again with the same id it is done once.",
            where="command_id",
            status=404,
        )


class NotBegun(SpiceError):
    """The request waited for its turn, was taken back, and nobody will ever do it."""

    kind = "spice:not-begun"

    def __init__(self, command_id: str, seconds: float) -> None:
        super().__init__(
            "Not begun",
            f"the log took no new command for {seconds:g} s; this request for command {command_id} is taken back and "
            "wrote nothing. Send it again, with the same id: if it was sent before as well, that one may still be done",
            where=command_id,
            status=503,
        )


class NotSettled(SpiceError):
    """A command of which nobody knows yet whether it is in the log."""

    kind = "spice:outcome-unknown"

    def __init__(self, command_id: str, seconds: float) -> None:
        super().__init__(
            "Outcome unknown",
            f"after {seconds:g} s it is not known whether command {command_id} is in the log. It settles by itself; "
            "the same command asked again, with the same id, is answered and never done twice",
            where=command_id,
            status=408,
        )


class _Committed(SpiceError):
    """A command that is done, and what is not. `receipt`: the command's, as a document."""

    receipt: dict[str, Any]

    def problem(self) -> dict[str, Any]:
        return {**super().problem(), "committed": self.receipt}


class NotVisible(_Committed):
    """A command that is done, and read models that don't show it yet. `why`: by read model."""

    kind = "spice:not-visible"

    def __init__(self, receipt: Mapping[str, Any], why: Mapping[str, str], late: float) -> None:
        """`late`: after so many seconds."""
        self.receipt = dict(receipt)
        super().__init__(
            "Done, not visible yet", _done(receipt, f"after {late:g} s", why), where=", ".join(why), status=408
        )


class DoneParked(_Committed):
    """A command that is done, and read models (`why`: by each) that have set its object aside: waiting is no use."""

    kind = "spice:parked"
    passes = False

    def __init__(self, receipt: Mapping[str, Any], why: Mapping[str, str]) -> None:
        self.receipt = dict(receipt)
        told = _done(receipt, "its object is parked and waiting is no use", why)
        super().__init__("Done, parked", f"{told}. `spice deadletters list` shows it", where=", ".join(why), status=503)


def _done(receipt: Mapping[str, Any], but: str, why: Mapping[str, str]) -> str:
    return (
        f"command {receipt['command_id']} is in the log at position {receipt['position']} and stays there; "
        f"{but}: {'; '.join(f'{name} {reason}' for name, reason in why.items())}"
    )
