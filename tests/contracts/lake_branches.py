"""What every adapter of the lake port must do with branches; `LakeContract` holds on main, and on a branch too."""

import pyarrow as pa
import pytest

from resources.errors import SpiceError
from resources.lake.base import Lake, LakeConflictError
from resources.lake.branches import BranchExists, PromotionConflict, TableChange, UnknownBranch
from tests.contracts.lake import V1, V2, V3, rows, values


def part(lake: Lake, table: str, version: str, *pairs: tuple[str, str | None]) -> None:
    """Replace the partitions that the rows are of."""
    lake.replace(table, rows(*pairs), versions={p: version for p, _ in pairs}, partition_column="_partition")


class BranchContract:
    @pytest.fixture
    def lake(self) -> Lake:
        raise NotImplementedError

    @pytest.fixture
    def two(self, lake: Lake) -> Lake:
        """A lake with two tables."""
        part(lake, "t", V1, ("a", "1"), ("b", "2"))
        part(lake, "u", V1, ("a", "10"))
        return lake

    def test_a_new_branch_is_main_as_it_is_and_stays_so(self, two: Lake) -> None:
        made = two.branches.create("try")
        part(two, "t", V2, ("a", "main"))
        part(two, "new", V1, ("a", "main"))
        there = two.branches.at("try")
        assert values(there) == [("a", "1"), ("b", "2")]
        assert there.versions("t") == {"a": V1, "b": V1}
        assert there.rows("t") == {"a": 1, "b": 1}
        assert there.count("t") == 2
        assert there.tables() == ["t", "u"]
        read = [row for batch in there.batches("t", columns=["value"]) for row in batch.to_pylist()]
        assert sorted(row["value"] for row in read) == ["1", "2"]
        assert made.changed == ()
        assert two.branches.get("try") == made
        assert two.branches.every() == [made]
        with pytest.raises(KeyError):
            there.scan("new")

    def test_what_a_branch_writes_overlays_the_fork_and_main_does_not_see_it(self, two: Lake) -> None:
        two.branches.create("try")
        there = two.branches.at("try")
        part(there, "t", V2, ("a", "9"), ("c", "3"))
        part(there, "own", V1, ("a", "x"))
        assert values(there) == [("a", "9"), ("b", "2"), ("c", "3")]
        assert there.versions("t") == {"a": V2, "b": V1, "c": V2}
        assert values(there, "u") == [("a", "10")]
        assert there.tables() == ["own", "t", "u"]
        assert values(two) == [("a", "1"), ("b", "2")]
        assert two.versions("t") == {"a": V1, "b": V1}
        assert two.tables() == ["t", "u"]
        assert values(two.branches.fork_of("try")) == [("a", "1"), ("b", "2")]
        assert two.branches.get("try").changed == ("own", "t")

    def test_two_branches_know_nothing_of_each_other(self, two: Lake) -> None:
        for name in ("one", "two"):
            two.branches.create(name)
            part(two.branches.at(name), "t", V2, ("a", name))
        assert values(two.branches.at("one"), partitions=["a"]) == [("a", "one")]
        assert values(two.branches.at("two"), partitions=["a"]) == [("a", "two")]

    def test_several_writes_of_a_transaction_are_one_commit_or_none(self, two: Lake) -> None:
        begun = two.branches.create("try")
        with pytest.raises(RuntimeError, match="half-way"), two.branches.transaction("try") as work:
            part(work, "t", V2, ("a", "lost"))
            assert values(work, partitions=["a"]) == [("a", "lost")]
            raise RuntimeError("half-way")
        assert two.branches.get("try") == begun
        with two.branches.transaction("try", {"why": "test"}) as work:
            part(work, "t", V2, ("a", "9"))
            part(work, "t", V3, ("b", "8"))
            part(work, "u", V2, ("a", "7"))
            assert values(two.branches.at("try")) == [("a", "1"), ("b", "2")]
        done = two.branches.get("try")
        assert (done.number, dict(done.metadata), done.changed) == (begun.number + 1, {"why": "test"}, ("t", "u"))
        assert values(two.branches.at("try")) == [("a", "9"), ("b", "8")]
        assert values(two.branches.at("try"), "u") == [("a", "7")]

    def test_of_two_that_change_one_table_of_a_branch_the_second_is_refused_whole(self, two: Lake) -> None:
        two.branches.create("try")
        with pytest.raises(LakeConflictError, match="t: "), two.branches.transaction("try") as slow:
            part(slow, "u", V2, ("a", "slow"))
            part(slow, "t", V2, ("a", "slow"))
            part(two.branches.at("try"), "t", V3, ("b", "fast"))
        there = two.branches.at("try")
        assert values(there) == [("a", "1"), ("b", "fast")]
        assert values(there, "u") == [("a", "10")]

    def test_two_that_change_different_tables_of_a_branch_both_do(self, two: Lake) -> None:
        two.branches.create("try")
        with two.branches.transaction("try") as slow:
            part(slow, "u", V2, ("a", "slow"))
            part(two.branches.at("try"), "t", V3, ("b", "fast"))
        there = two.branches.at("try")
        assert (values(there, partitions=["b"]), values(there, "u")) == ([("b", "fast")], [("a", "slow")])

    def test_an_append_on_a_branch_happens_once_and_is_promoted_as_an_append(self, lake: Lake) -> None:
        one, more = (pa.table({"position": pa.array(n, pa.int64())}) for n in ([1, 2], [3]))
        lake.append("log", one, app_id="sealing", version=2)
        lake.branches.create("try")
        there = lake.branches.at("try")
        assert not there.append("log", one, app_id="sealing", version=2)
        assert there.append("log", more, app_id="sealing", version=3, after=2)
        assert sorted(there.scan("log")["position"].to_pylist()) == [1, 2, 3]
        assert lake.app_version("log", "sealing") == 2
        assert lake.branches.promote("try").already is False
        assert sorted(lake.scan("log")["position"].to_pylist()) == [1, 2, 3]
        assert lake.app_version("log", "sealing") == 3
        assert not lake.append("log", more, app_id="sealing", version=3)

    def test_refs_are_compared_by_what_their_tables_hold(self, two: Lake) -> None:
        part(two, "same", V1, ("a", "10"))
        two.branches.create("try")
        there = two.branches.at("try")
        part(there, "t", V2, ("a", "9"))
        part(there, "own", V1, ("a", "x"))
        part(there, "same", V1, ("a", "10"))  # written, and of the same data version
        there.remove("u")
        assert two.branches.changes("main", "try") == [
            TableChange("own", "added", ("a",)),
            TableChange("t", "changed", ("a",)),
            TableChange("u", "removed", ("a",)),
        ]
        assert two.branches.changes("try", "try") == []

    def test_a_promotion_makes_all_that_changed_mains(self, two: Lake) -> None:
        two.branches.create("try")
        with two.branches.transaction("try") as work:
            part(work, "t", V2, ("a", "9"), ("c", "3"))
            part(work, "own", V1, ("a", "x"))
            work.replace("whole", pa.table({"x": [1]}), versions={"": V1}, partition_column=None)
        done = two.branches.promote("try")
        assert done.already is False
        assert done.tables == {"own": ("a",), "t": ("a", "c"), "whole": ("",)}
        assert values(two) == [("a", "9"), ("b", "2"), ("c", "3")]
        assert two.versions("t") == {"a": V2, "b": V1, "c": V2}
        assert two.rows("t") == {"a": 1, "b": 1, "c": 1}
        assert two.count("t") == 3
        assert values(two, "own") == [("a", "x")]
        assert two.scan("whole").to_pydict() == {"x": [1]}
        assert two.branches.changes("main", "try") == []

    def test_a_promotion_that_is_asked_for_again_is_the_same_one(self, two: Lake) -> None:
        two.branches.create("try")
        part(two.branches.at("try"), "t", V2, ("a", "9"))
        first = two.branches.promote("try")
        part(two, "t", V3, ("a", "later"))
        again = two.branches.promote("try")
        assert (again.id, again.tables, again.already) == (first.id, first.tables, True)
        assert values(two) == [("a", "later"), ("b", "2")]

    def test_a_branch_goes_on_after_its_promotion(self, two: Lake) -> None:
        two.branches.create("try")
        there = two.branches.at("try")
        part(there, "t", V2, ("a", "9"))
        first = two.branches.promote("try")
        part(there, "t", V3, ("b", "8"))
        second = two.branches.promote("try")
        assert second.id != first.id
        assert second.tables == {"t": ("b",)}
        assert values(two) == [("a", "9"), ("b", "8")]

    def test_main_that_moved_on_a_changed_table_is_a_conflict_by_name(self, two: Lake) -> None:
        two.branches.create("try")
        with two.branches.transaction("try") as work:
            part(work, "t", V2, ("a", "9"))
            part(work, "u", V2, ("a", "9"))
        part(two, "t", V3, ("b", "main"))
        with pytest.raises(PromotionConflict, match="t changed on main"):
            two.branches.promote("try")
        assert values(two) == [("a", "1"), ("b", "main")]
        assert values(two, "u") == [("a", "10")]

    def test_main_that_moved_elsewhere_is_none_unless_it_was_read(self, two: Lake) -> None:
        two.branches.create("try")
        part(two.branches.at("try"), "t", V2, ("a", "9"))
        part(two, "u", V2, ("a", "main"))
        with pytest.raises(PromotionConflict, match="u changed on main"):
            two.branches.promote("try", reads=["u"])
        two.branches.promote("try")
        assert values(two) == [("a", "9"), ("b", "2")]
        assert values(two, "u") == [("a", "main")]

    def test_a_table_that_main_got_meanwhile_is_a_conflict_too(self, lake: Lake) -> None:
        lake.branches.create("try")
        part(lake.branches.at("try"), "t", V1, ("a", "branch"))
        part(lake, "t", V1, ("a", "main"))
        with pytest.raises(PromotionConflict, match="t changed on main"):
            lake.branches.promote("try")
        assert values(lake) == [("a", "main")]

    def test_an_empty_partition_is_promoted(self, two: Lake) -> None:
        two.branches.create("try")
        two.branches.at("try").replace("t", rows(), versions={"a": V2}, partition_column="_partition")
        two.branches.promote("try")
        assert values(two) == [("b", "2")]
        assert two.versions("t") == {"a": V2, "b": V1}

    def test_columns_that_joined_or_changed_on_a_branch_are_promoted(self, two: Lake) -> None:
        two.branches.create("try")
        there = two.branches.at("try")
        wider = rows(("a", "9")).append_column("extra", pa.array([1.5]))
        there.replace("t", wider, versions={"a": V2}, partition_column="_partition")
        other = rows(("a", "1")).set_column(1, "value", pa.array([7], pa.int64()))
        there.replace("u", other, versions={"a": V2}, partition_column="_partition")
        two.branches.promote("try")
        found = {row["_partition"]: (row["value"], row["extra"]) for row in two.scan("t").to_pylist()}
        assert found == {"a": ("9", 1.5), "b": ("2", None)}
        assert two.scan("u")["value"].to_pylist() == [7]

    def test_a_branch_without_changes_has_nothing_to_promote(self, two: Lake) -> None:
        two.branches.create("try")
        with pytest.raises(SpiceError, match="changed no table"):
            two.branches.promote("try")

    def test_a_removed_table_is_not_promoted(self, two: Lake) -> None:
        two.branches.create("try")
        two.branches.at("try").remove("t")
        assert two.branches.at("try").tables() == ["u"]
        with pytest.raises(SpiceError, match="removed t"):
            two.branches.promote("try")
        assert two.tables() == ["t", "u"]

    def test_a_dropped_branch_is_gone_and_its_name_is_free(self, two: Lake) -> None:
        first = two.branches.create("try")
        part(two.branches.at("try"), "t", V2, ("a", "9"))
        two.branches.drop("try")
        assert two.branches.every() == []
        for call in (two.branches.at, two.branches.get, two.branches.drop, two.branches.promote, two.branches.fork_of):
            with pytest.raises(UnknownBranch, match="main"):
                call("try")
        again = two.branches.create("try")
        assert again.id != first.id
        assert values(two.branches.at("try")) == [("a", "1"), ("b", "2")]

    def test_a_name_is_taken_once(self, lake: Lake) -> None:
        lake.branches.create("try")
        with pytest.raises(BranchExists, match="'try'"):
            lake.branches.create("try")

    @pytest.mark.parametrize(
        "name", ["", "main", "main/../prod", "a/b", "..", "~", "^", "HEAD", "-x", "a b", "a\nb", "a\n", "é", "x" * 64]
    )
    def test_what_is_no_name_is_refused(self, lake: Lake, name: str) -> None:
        with pytest.raises(SpiceError, match="Not a name"):
            lake.branches.create(name)
        if name != "main":
            with pytest.raises(UnknownBranch):
                lake.branches.at(name)

    def test_a_fork_is_not_written_to(self, two: Lake) -> None:
        two.branches.create("try")
        with pytest.raises(LakeConflictError, match="fork"):
            part(two.branches.fork_of("try"), "t", V2, ("a", "9"))

    def test_pruning_main_leaves_what_a_branch_reads(self, two: Lake) -> None:
        two.branches.create("try")
        part(two, "t", V2, ("a", "main"), ("b", "main"))
        two.prune("t", older_than_seconds=-1)
        assert values(two.branches.at("try")) == [("a", "1"), ("b", "2")]
        assert values(two) == [("a", "main"), ("b", "main")]
        two.branches.drop("try")
        assert two.prune("t", older_than_seconds=-1) > 0
        assert values(two) == [("a", "main"), ("b", "main")]

    def test_sweeping_removes_what_no_branch_names_when_it_is_old(self, two: Lake) -> None:
        for name in ("kept", "dropped"):
            two.branches.create(name)
            part(two.branches.at(name), "t", V2, ("a", name))
        part(two.branches.at("kept"), "t", V3, ("a", "newer"))
        two.branches.drop("dropped")
        assert two.branches.sweep() == 0
        assert two.branches.sweep(older_than_seconds=-1) > 0
        assert two.branches.sweep(older_than_seconds=-1) == 0
        assert values(two.branches.at("kept")) == [("a", "newer"), ("b", "2")]
        assert values(two) == [("a", "1"), ("b", "2")]
        two.branches.promote("kept")
        two.branches.drop("kept")
        two.branches.sweep(older_than_seconds=-1)
        assert values(two) == [("a", "newer"), ("b", "2")]
