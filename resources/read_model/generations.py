"""The generations of a SQLite read model: a file each, and an alias that says which one is asked.

`<home>/read/search.sqlite` is a symbolic link to `search.<generation>.sqlite`. Moving it is one rename, so readers see
one whole generation at any time, and the alias alone says which. Whoever opens the alias' path sees the move by the
inode that it leads to (resources/sqlite_file.py, connection.py).

A domain's part of a file names its build `<generation>-<8 hex>`: page tokens, ETags and answers to who waits name it.
"""

import contextlib
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BESIDE = ("", "-wal", "-shm")
_NAME = re.compile(r"[a-z]+\.([0-9a-f]{8})\.sqlite")
MOVING_SECONDS = 60.0
"""A link that stands so long beside the alias belongs to nobody: moving takes a millisecond."""


@dataclass(frozen=True)
class Generations:
    """Of the read model whose alias is `alias`."""

    alias: Path

    def current(self) -> str | None:
        """The generation that is asked; None before the first, or where the alias was deleted."""
        try:
            return self._of_ours(self.alias.readlink())
        except OSError:  # nothing there, or a file of its own
            return None

    def file(self, generation: str) -> Path:
        return self.alias.with_name(f"{self.alias.stem}.{generation}{self.alias.suffix}")

    def present(self) -> list[str]:
        """The generations that have a file."""
        found = [self._of_ours(file) for file in self.alias.parent.glob(f"{self.alias.stem}.*")]
        return sorted(one for one in found if one is not None)

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
        # The file itself last: what is left of it when the process dies is found again.
        self._unlink(self.file(generation), _BESIDE[::-1])

    def remove_unfinished_moves(self) -> None:
        """Links of processes that died while they moved the alias."""
        for link in self.alias.parent.glob(f".{self.alias.name}.*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - link.lstat().st_mtime > MOVING_SECONDS:
                    link.unlink()

    def discard_current(self) -> None:
        """Remove the file that the alias leads to: the next writer begins it anew."""
        self._unlink(self.alias.resolve(), _BESIDE)

    @staticmethod
    def _unlink(file: Path, suffixes: Sequence[str]) -> None:
        for suffix in suffixes:
            file.with_name(file.name + suffix).unlink(missing_ok=True)

    def _of_ours(self, file: Path) -> str | None:
        return generation_of(file) if file.name.startswith(f"{self.alias.stem}.") else None


def generation_of(file: Path) -> str | None:
    """The generation whose file it is."""
    found = _NAME.fullmatch(file.name)
    return None if found is None else found[1]


def new_generation() -> str:
    return secrets.token_hex(4)
