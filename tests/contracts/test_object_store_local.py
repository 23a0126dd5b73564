"""The local object store keeps the port's contract; what a killed or failing writer leaves is never an object."""

import os
import stat
from pathlib import Path

import pytest

from resources.object_store.base import ObjectStore, PutOutcome
from resources.object_store.local import LocalObjectStore
from resources.object_store.probe import PutIfAbsentBroken, prove_put_if_absent
from tests.contracts.object_store import ObjectStoreContract


class TestLocalObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return LocalObjectStore(tmp_path / "objects")


class DyingBeforeLink(LocalObjectStore):
    """Stops where a kill leaves a complete temp file and no name."""

    def _link(self, temp: Path, target: Path) -> bool:
        raise InterruptedError("killed")


class Unsyncable(LocalObjectStore):
    """The folder can't be synced: the object is there, but may not survive a power cut."""

    def _sync_folder(self, folder: Path) -> bool:
        return False


def test_nothing_is_visible_before_the_link(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError):
        DyingBeforeLink(tmp_path).put_if_absent("k", b"1")
    store = LocalObjectStore(tmp_path)
    assert store.head("k") is None
    assert store.put_if_absent("k", b"2") is PutOutcome.DONE


def test_an_object_whose_folder_is_not_synced_is_unknown_not_done(tmp_path: Path) -> None:
    store = Unsyncable(tmp_path)
    assert store.put_if_absent("k", b"1") is PutOutcome.UNKNOWN
    with pytest.raises(OSError, match="could not be synced"):
        store.put("j", b"1")


def test_what_cannot_be_synced_is_told(tmp_path: Path) -> None:
    LocalObjectStore(tmp_path).put("log/a/1", b"1")
    with pytest.raises(OSError, match="could not be synced"):
        Unsyncable(tmp_path).sync("log/a/")


def test_syncing_a_prefix_syncs_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalObjectStore(tmp_path)
    store.put("log/a/1", b"1")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    store.sync("log/a/")
    assert synced == [(tmp_path / "log" / "a").stat().st_ino]


def test_file_and_folder_are_synced_before_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, link = os.fsync, os.link

    def seen_fsync(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def seen_link(source: Path, target: Path) -> None:
        order.append("link")
        link(source, target)

    store = LocalObjectStore(tmp_path)
    store.put("log/a", b"")
    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "link", seen_link)
    store.put_if_absent("log/b", b"1")
    assert order == ["file", "link", "folder"]


def test_old_temp_files_are_swept_and_young_ones_stay(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    store.put("k", b"1")
    old, young = tmp_path / ".tmp" / "old", tmp_path / ".tmp" / "young"
    old.write_bytes(b"")
    young.write_bytes(b"")
    os.utime(old, (1, 1))
    assert store.sweep() == 1
    assert not old.exists()
    assert young.exists()
    assert store.get("k") == b"1"


class Overwriting(LocalObjectStore):
    """A server that ignores the condition."""

    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        self.put(key, data)
        return PutOutcome.DONE


class TellingAll(LocalObjectStore):
    """A server that refuses the second put, and tells it that it was done."""

    def put_if_absent(self, key: str, data: bytes) -> PutOutcome:
        super().put_if_absent(key, data)
        return PutOutcome.DONE


@pytest.mark.parametrize("broken", [Overwriting, TellingAll])
def test_a_store_that_ignores_the_condition_is_refused(tmp_path: Path, broken: type[LocalObjectStore]) -> None:
    with pytest.raises(PutIfAbsentBroken):
        prove_put_if_absent(broken(tmp_path))
