"""The embedded approvals keep the port's contract, beside the registry in one file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.approvals.sql import SqliteApprovals
from resources.registry.base import RegistryUnavailable
from resources.registry.sql import SqliteRegistry
from tests.contracts.approvals import ApprovalsContract, verdict


class TestSqliteApprovals(ApprovalsContract):
    @pytest.fixture
    def approvals(self, tmp_path: Path) -> Iterator[SqliteApprovals]:
        approvals = SqliteApprovals(tmp_path / "home" / "registry.sqlite")
        yield approvals
        approvals.close()


def test_registry_and_approvals_share_a_file_and_outlive_their_process(tmp_path: Path) -> None:
    file = tmp_path / "registry.sqlite"
    registry, approvals = SqliteRegistry(file), SqliteApprovals(file)
    registry.set_mark("here", "yes")
    approvals.record([verdict("", "v")])
    registry.close()
    approvals.close()
    assert SqliteApprovals(file).verdicts("clean/t")[""][0].version == "v"
    assert SqliteRegistry(file).mark("here") is not None


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "registry.sqlite"
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(RegistryUnavailable, match="not a database"):
        SqliteApprovals(file)
