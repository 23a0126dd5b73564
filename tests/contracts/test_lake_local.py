"""The local Delta adapter under the lake's contract, and what only a disk can do to it."""

from pathlib import Path

import pytest

from resources.errors import SpiceError
from resources.lake.base import Lake, LakeDamagedError
from resources.lake.local import LocalLake
from tests.contracts.lake import V1, V2, LakeContract, rows, values
from tests.contracts.lake_branches import BranchContract, part


class TestLocalBranches(BranchContract):
    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        return LocalLake(tmp_path / "lake")


class TestLakeAtABranch(LakeContract):
    """All that holds of the lake holds of a branch of it."""

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        main = LocalLake(tmp_path / "lake")
        main.branches.create("work")
        return main.branches.at("work")


class TestLocalLake(LakeContract):
    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        return LocalLake(tmp_path / "lake")

    @pytest.mark.parametrize("content", [b"", b"\n", b'{"commitInfo":{"timestamp":1'])
    def test_a_torn_newest_commit_stops_reading_and_writing(self, tmp_path: Path, content: bytes) -> None:
        lake = LocalLake(tmp_path)
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        (tmp_path / "t" / "_delta_log" / f"{1:020d}.json").write_bytes(content)
        for operation in (
            lambda: lake.versions("t"),
            lambda: lake.scan("t"),
            lambda: lake.replace("t", rows(("a", "1")), versions={"a": V2}, partition_column="_partition"),
        ):
            with pytest.raises(LakeDamagedError, match=f"{1:020d}.json"):
                operation()

    def test_a_torn_data_file_stops_reading(self, tmp_path: Path) -> None:
        lake = LocalLake(tmp_path)
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        Path(lake.files("t")[0]).write_bytes(b"")
        with pytest.raises(LakeDamagedError, match="t can't be trusted"):
            lake.scan("t")
        with pytest.raises(LakeDamagedError):
            list(lake.batches("t"))

    def test_a_commit_by_another_tool_makes_all_versions_unknown(self, tmp_path: Path) -> None:
        from deltalake import write_deltalake

        lake = LocalLake(tmp_path)
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        write_deltalake(lake.path("t"), rows(("a", "2")), mode="append")
        assert lake.versions("t") == {}
        lake.replace("t", rows(("a", "3")), versions={"a": V2}, partition_column="_partition")
        assert lake.scan("t")["value"].to_pylist() == ["3"]

    @pytest.mark.parametrize("value", ["../x", "a/b", "", "a=b", "a b"])
    def test_a_partition_value_that_is_no_folder_name_is_refused(self, tmp_path: Path, value: str) -> None:
        lake = LocalLake(tmp_path / "lake")
        with pytest.raises(ValueError, match="partition"):
            lake.replace("t", rows((value, "1")), versions={value: V1}, partition_column="_partition")
        assert lake.versions("t") == {}

    def test_anyone_reads_the_table_as_delta(self, tmp_path: Path) -> None:
        from deltalake import DeltaTable

        lake = LocalLake(tmp_path)
        lake.replace("t", rows(("a", "1"), ("b", "2")), versions={"a": V1, "b": V1}, partition_column="_partition")
        assert DeltaTable(lake.path("t")).to_pyarrow_table().num_rows == 2

    @pytest.mark.parametrize("folder", ["my home", "집", "a#b?c", "it's [here]"])
    def test_a_home_with_an_odd_name_works_for_us_and_for_the_engine(self, tmp_path: Path, folder: str) -> None:
        from resources.spark import delta, session, to_arrow

        lake = LocalLake(tmp_path / folder)
        lake.replace("t", rows(("a", "1"), ("b", "2")), versions={"a": V1, "b": V1}, partition_column="_partition")
        lake.replace("t", rows(("b", "3")), versions={"b": V2}, partition_column="_partition")
        assert lake.prune("t", older_than_seconds=-1) > 0
        assert sorted(lake.scan("t")["value"].to_pylist()) == ["1", "3"]
        assert to_arrow(delta(session(), lake.path("t"), ["b"]))["value"].to_pylist() == ["3"]
        assert to_arrow(delta(session(), lake.path("t"))).num_rows == 2

    def test_a_home_that_the_log_cannot_name_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(SpiceError, match="%"):
            LocalLake(tmp_path / "100%")

    def test_a_failed_write_of_a_file_fails_the_commit_and_leaves_nothing(self, tmp_path: Path) -> None:
        lake = LocalLake(tmp_path)
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        blocked = tmp_path / "t" / "_partition=b"
        blocked.write_text("in the way of the folder")
        with pytest.raises(FileExistsError):
            lake.replace("t", rows(("a", "2"), ("b", "2")), versions={"a": V2, "b": V2}, partition_column="_partition")
        assert lake.scan("t")["value"].to_pylist() == ["1"]
        assert len(list(tmp_path.rglob("*.parquet"))) == 1

    def test_an_engine_reads_a_branch_as_it_is(self, tmp_path: Path) -> None:
        from resources.spark import delta, session, to_arrow

        lake = LocalLake(tmp_path / "lake")
        part(lake, "t", V1, ("a", "1"), ("b", "2"))
        part(lake, "u", V1, ("a", "1"))
        lake.branches.create("try")
        part(lake, "u", V2, ("a", "main"))
        there = lake.branches.at("try")
        part(there, "t", V2, ("b", "9"))

        def read(table: str, partitions: list[str] | None = None) -> list[str]:
            frame = delta(session(), there.path(table), partitions, version=there.version(table))
            return sorted(to_arrow(frame)["value"].to_pylist())

        assert (read("t"), read("t", ["b"]), read("u")) == (["1", "9"], ["9"], ["1"])

    def test_a_table_that_was_made_anew_is_not_taken_for_that_of_the_fork(self, tmp_path: Path) -> None:
        lake = LocalLake(tmp_path)
        part(lake, "t", V1, ("a", "1"))
        lake.branches.create("try")
        lake.remove("t")
        with pytest.raises(LakeDamagedError, match="t can't be trusted"):
            lake.branches.at("try").scan("t")
        part(lake, "t", V2, ("a", "another"))
        with pytest.raises(LakeDamagedError, match="made anew"):
            lake.branches.at("try").scan("t")

    def test_a_damaged_record_is_never_guessed_at(self, tmp_path: Path) -> None:
        lake = LocalLake(tmp_path)
        part(lake, "t", V1, ("a", "1"))
        lake.branches.create("try")
        (record,) = (tmp_path / ".branches" / "refs" / "try").iterdir()
        record.write_bytes(record.read_bytes()[:50])
        with pytest.raises(SpiceError, match="refs/try/00000000: Catalog damaged"):
            lake.branches.at("try")
        assert values(lake) == [("a", "1")]

    def test_a_branch_costs_no_copy(self, tmp_path: Path) -> None:
        lake = LocalLake(tmp_path)
        big = rows(*[("a", "x" * 100)] * 5_000, ("b", "y"))
        lake.replace("t", big, versions={"a": V1, "b": V1}, partition_column="_partition")
        lake.branches.create("try")
        part(lake.branches.at("try"), "t", V2, ("b", "z"))
        files = {file.stat().st_ino: file.stat().st_size for file in tmp_path.rglob("*.parquet")}
        assert len(files) == 3
