"""Objects as files below one folder: temp file, fsync, link, fsync of the folder. Never torn, also across a power
cut.
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from resources.object_store.base import ObjectInfo, ObjectNotFound, ObjectStore, PutOutcome, checked_key

_TEMP = ".tmp"
_COPY_BYTES = 1 << 20


class LocalObjectStore(ObjectStore):
    """One folder of one local file system with hard links. Safe for any number of processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        target = self._path(key)
        if target.exists():  # what a racer would find out after an fsync for nothing
            return PutOutcome.EXISTS
        temp = self._write_temp(data)
        try:
            self._make_folder(target.parent)
            if not self._link(temp, target):
                return PutOutcome.EXISTS
        finally:
            temp.unlink()
        return PutOutcome.DONE if self._sync_folder(target.parent) else PutOutcome.UNKNOWN

    def put(self, key: str, data: bytes | Path) -> None:
        target = self._path(key)
        temp = self._write_temp(data)
        try:
            self._make_folder(target.parent)
            temp.replace(target)
        finally:
            temp.unlink(missing_ok=True)
        if not self._sync_folder(target.parent):
            raise OSError(f"{target}: written, but its folder could not be synced")

    def get(self, key: str) -> bytes:
        try:
            descriptor = os.open(self._name(key), os.O_RDONLY)
        except FileNotFoundError:
            raise ObjectNotFound(key) from None
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return file.read()

    def open(self, key: str) -> pa.NativeFile:
        try:
            return pa.OSFile(self._name(key), "rb")
        except FileNotFoundError:
            raise ObjectNotFound(key) from None

    def head(self, key: str) -> ObjectInfo | None:
        try:
            status = os.stat(self._name(key))  # noqa: PTH116 - see _name
        except FileNotFoundError:
            return None
        return ObjectInfo(status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def list(self, prefix: str) -> Iterator[str]:
        folder = self.root / checked_key(prefix.rstrip("/"))
        names: list[str] = []
        for parent, _, files in os.walk(folder):
            names += [Path(parent, name).relative_to(self.root).as_posix() for name in files]
        yield from sorted(names)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def sync(self, prefix: str) -> None:
        folder = self.root / checked_key(prefix.rstrip("/"))
        if folder.is_dir() and not self._sync_folder(folder):
            raise OSError(f"{folder}: could not be synced")

    def sweep(self, older_than_s: float = 86_400) -> int:
        """Remove temp files that a killed process left behind; returns how many."""
        folder, limit = self.root / _TEMP, time.time() - older_than_s
        old = [path for path in folder.iterdir() if path.stat().st_mtime < limit] if folder.exists() else []
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _path(self, key: str) -> Path:
        return Path(self._name(key))

    def _name(self, key: str) -> str:
        """For what is asked of each record: a Path takes as long as the look at the disk."""
        return f"{self.root}/{checked_key(key)}"

    def _write_temp(self, data: bytes | Path) -> Path:
        temp = self.root / _TEMP / uuid.uuid4().hex
        try:
            descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileNotFoundError:
            self._make_folder(temp.parent)
            descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            if isinstance(data, Path):
                with data.open("rb") as source:
                    while piece := source.read(_COPY_BYTES):
                        _write_all(out.fileno(), piece)
            else:
                _write_all(out.fileno(), data)
            _sync(out.fileno())
        return temp

    def _link(self, temp: Path, target: Path) -> bool:
        """The one atomic step: the name appears with its whole content, or somebody else's name is there already."""
        try:
            os.link(temp, target)
        except FileExistsError:
            return False
        return True

    def _sync_folder(self, folder: Path) -> bool:
        """False if the folder could not be synced: the object is there, but may not survive a power cut."""
        try:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                _sync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            return False
        return True

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        self._sync_folder(folder.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync(descriptor: int) -> None:
    # On macOS fsync leaves the bytes in the drive's cache; F_FULLFSYNC does not.
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)
