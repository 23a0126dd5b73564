"""Why a command is refused. A refused command wrote nothing, and its id may be used again."""

from collections.abc import Iterable

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


class NotInTime(SpiceError):
    """What was waited for did not come in time; it may still come."""

    kind = "spice:not-in-time"

    def __init__(self, detail: str, *, where: str) -> None:
        super().__init__("Not in time", detail, where=where, status=408)
