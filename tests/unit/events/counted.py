"""Stand-ins that measure: a file that counts what is read of it, a store that does not wait for the disk."""

import uuid
from pathlib import Path
from typing import Any

from resources.object_store.local import LocalObjectStore


class Counted:
    """A file that counts the bytes that are read of it."""

    def __init__(self, path: str, tally: list[int]) -> None:
        self._file, self._tally = Path(path).open("rb"), tally  # noqa: SIM115 - closed by __exit__

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._tally[0] += len(data)
        return data

    def __enter__(self) -> "Counted":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class NotSynced(LocalObjectStore):
    """For the commits that are not measured: the same objects, without waiting for the disk."""

    def _write_temp(self, data: bytes | Path) -> Path:
        assert isinstance(data, bytes)
        temp = self.root / ".tmp" / uuid.uuid4().hex
        temp.parent.mkdir(exist_ok=True, parents=True)
        temp.write_bytes(data)
        return temp

    def _sync_folder(self, folder: Path) -> bool:
        return True
