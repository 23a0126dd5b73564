"""What every adapter of the object-store port must do. An adapter's test module subclasses it and gives `store`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from resources.object_store.base import BadKey, ObjectNotFound, ObjectStore, PutOutcome
from resources.object_store.probe import prove_put_if_absent

RACERS = 16


class ObjectStoreContract:
    @pytest.fixture
    def store(self) -> ObjectStore:
        raise NotImplementedError

    def test_a_put_object_comes_back_byte_for_byte(self, store: ObjectStore, tmp_path: Path) -> None:
        content = bytes(range(256)) * 5_000
        store.put("a/bytes", content)
        (tmp_path / "content").write_bytes(content)
        store.put("a/file", tmp_path / "content")
        assert store.get("a/bytes") == store.get("a/file") == content

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        assert store.put_if_absent("empty", b"") is PutOutcome.DONE
        assert store.get("empty") == b""
        info = store.head("empty")
        assert info is not None
        assert info.size == 0

    def test_an_absent_object_is_said_to_be_absent(self, store: ObjectStore) -> None:
        assert store.head("none") is None
        with pytest.raises(ObjectNotFound):
            store.get("none")
        with pytest.raises(ObjectNotFound):
            store.open("none")
        store.delete("none")

    def test_a_prefix_with_or_without_objects_can_be_synced(self, store: ObjectStore) -> None:
        store.sync("log/none/")
        store.put("log/some/1", b"1")
        store.sync("log/some/")
        assert store.get("log/some/1") == b"1"

    def test_a_second_put_if_absent_is_refused_and_changes_nothing(self, store: ObjectStore) -> None:
        assert store.put_if_absent("k", b"first") is PutOutcome.DONE
        assert store.put_if_absent("k", b"second") is PutOutcome.EXISTS
        assert store.get("k") == b"first"

    def test_of_16_racing_puts_exactly_one_wins_and_its_content_stays(self, store: ObjectStore) -> None:
        for turn in range(20):
            barrier = Barrier(RACERS)

            def race(i: int, key: str = f"race/{turn}", barrier: Barrier = barrier) -> PutOutcome:
                barrier.wait()
                return store.put_if_absent(key, b"%d" % i * 1_000)

            with ThreadPoolExecutor(RACERS) as pool:
                outcomes = list(pool.map(race, range(RACERS)))
            winners = [i for i, outcome in enumerate(outcomes) if outcome is PutOutcome.DONE]
            assert len(winners) == 1
            assert set(outcomes) == {PutOutcome.DONE, PutOutcome.EXISTS}
            assert store.get(f"race/{turn}") == b"%d" % winners[0] * 1_000

    def test_put_replaces(self, store: ObjectStore) -> None:
        store.put("k", b"long content")
        store.put("k", b"short")
        assert store.get("k") == b"short"

    def test_a_deleted_object_can_be_put_again(self, store: ObjectStore) -> None:
        store.put("k", b"1")
        store.delete("k")
        assert store.head("k") is None
        assert store.put_if_absent("k", b"2") is PutOutcome.DONE

    def test_the_list_is_of_the_prefix_in_order(self, store: ObjectStore) -> None:
        for key in ("log/a/2", "log/a/10", "log/a/1", "log/ab/1", "log-data/a/1", "log/a/x/y"):
            store.put(key, b"")
        assert list(store.list("log/a/")) == ["log/a/1", "log/a/10", "log/a/2", "log/a/x/y"]
        assert list(store.list("log/none/")) == []

    def test_the_list_shows_nothing_unfinished(self, store: ObjectStore) -> None:
        store.put("only/this", b"1")
        store.put_if_absent("only/this", b"2")
        assert list(store.list("only/")) == ["only/this"]

    def test_a_reader_seeks(self, store: ObjectStore) -> None:
        store.put("k", b"0123456789")
        with store.open("k") as source:
            source.seek(4)
            assert source.read(3) == b"456"
            assert source.size() == 10

    def test_head_says_size_and_age(self, store: ObjectStore) -> None:
        store.put("k", b"0123456789")
        info = store.head("k")
        assert info is not None
        assert info.size == 10
        assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=1)

    @pytest.mark.parametrize(
        "key", ["", "/etc/passwd", "../out", "a/../../out", "a//b", "a/./b", ".tmp/x", "a/.hidden", "a\x00b", "x" * 901]
    )
    def test_a_key_that_could_leave_the_root_is_refused(self, store: ObjectStore, key: str) -> None:
        for use in (store.get, store.head, store.delete, store.open, lambda k: store.put_if_absent(k, b"")):
            with pytest.raises(BadKey):
                use(key)

    def test_the_probe_passes_and_leaves_nothing(self, store: ObjectStore) -> None:
        prove_put_if_absent(store, "probe")
        assert list(store.list("probe/")) == []
