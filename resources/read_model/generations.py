"""The generations of a SQLite read model: a file each, and an alias that says which one is asked.

`<home>/read/search.sqlite` is a symbolic link to `search.<generation>.sqlite`. Moving it is one rename, so readers see
one whole generation at any time, and the alias alone says which. Whoever opens the alias' path sees the move by the
inode that it leads to (resources/sqlite_file.py, connection.py).
"""

import contextlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

_BESIDE = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Generations:
    """Of the read model whose alias is `alias`."""

    alias: Path

    def current(self) -> str | None:
        """The generation that is asked; None before the first, or where the alias was deleted."""
        try:
            found = self._NAME.fullmatch(str(self.alias.readlink()))
        except OSError:  # nothing there, or a file of its own
            return None
        return None if found is None or found[1] != self.alias.stem else found[2]

    def file(self, generation: str) -> Path:
        return self.alias.with_name(f"{self.alias.stem}.{generation}{self.alias.suffix}")

    def present(self) -> list[str]:
        """The generations that have a file."""
        found = [self._NAME.fullmatch(file.name) for file in self.alias.parent.glob(f"{self.alias.stem}.*")]
        return sorted(one[2] for one in found if one is not None and one[1] == self.alias.stem)

    def ensure(self) -> None:
        """An alias to a first generation, where there is none. A file that stands in its place becomes that generation:
        homes were made so once, and copying a home may follow the link.
        """
        if self.alias.exists() and not self.alias.is_symlink():
            first = self.file(new_generation())
            for suffix in reversed(_BESIDE):
                beside = self.alias.with_name(self.alias.name + suffix)
                if beside.exists():
                    beside.replace(first.with_name(first.name + suffix))
            self.alias.symlink_to(first.name)
        if not os.path.lexists(self.alias):
            self.alias.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # another process was faster
                self.alias.symlink_to(self.file(new_generation()).name)

    def point_to(self, generation: str) -> None:
        """Move the alias, at once and durably."""
        link = self.alias.with_name(f".{self.alias.name}.{secrets.token_hex(4)}")
        link.symlink_to(self.file(generation).name)
        link.replace(self.alias)
        folder = os.open(self.alias.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, generation: str) -> None:
        """Raises ValueError for the one that is asked."""
        if generation == self.current():
            raise ValueError(f"{self.file(generation)} is the one that is asked")
        self._unlink(self.file(generation))

    def discard_current(self) -> None:
        """Remove the file that the alias leads to: the next writer begins it anew."""
        self._unlink(self.alias.resolve())

    @staticmethod
    def _unlink(file: Path) -> None:
        for suffix in _BESIDE:
            file.with_name(file.name + suffix).unlink(missing_ok=True)

    _NAME = re.compile(r"([a-z]+)\.([0-9a-f]{8})\.sqlite")


def new_generation() -> str:
    return secrets.token_hex(4)
