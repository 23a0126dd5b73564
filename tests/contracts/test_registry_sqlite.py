"""The embedded registry keeps the port's contract, across processes too."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.registry.base import RegistryUnavailable
from resources.registry.sql import SqliteRegistry
from tests.contracts.registry import Clock, RegistryContract


class TestSqliteRegistry(RegistryContract):
    @pytest.fixture
    def registry(self, tmp_path: Path, clock: Clock) -> Iterator[SqliteRegistry]:
        registry = SqliteRegistry(tmp_path / "home" / "registry.sqlite", now=clock)
        yield registry
        registry.close()


def _ask(path: Path) -> int:
    lease = SqliteRegistry(path).acquire("follower/a", owner="one of many")
    return 0 if lease is None else lease.epoch


def test_processes_that_create_the_file_at_once_share_it(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        epochs = pool.map(_ask, [tmp_path / "registry.sqlite"] * 12, chunksize=1)

    assert sorted(epochs) == [0] * 11 + [1]


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    first = SqliteRegistry(tmp_path / "registry.sqlite")
    lease = first.acquire("follower/a", owner="me")
    first.close()

    assert SqliteRegistry(tmp_path / "registry.sqlite").read("follower/a") == lease


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite").write_text("not a database, but long enough to be taken for one" * 10)

    with pytest.raises(RegistryUnavailable, match=r"registry\.sqlite"):
        SqliteRegistry(tmp_path / "registry.sqlite")
