"""What every store of approvals must do. An adapter's test subclasses this and gives `approvals`."""

import threading

from resources.approvals.base import KEPT, Approvals, Verdict


def verdict(
    partition: str, version: str, *failed: str, rules: str = "r", profile: dict[str, object] | None = None
) -> Verdict:
    return Verdict("clean/t", partition, version, rules, failed, profile or {}, "run")


class ApprovalsContract:
    def test_a_verdict_is_found_as_it_was_recorded(self, approvals: Approvals) -> None:
        mine = verdict("2024-01-01", "v1", "unique_x", profile={"rows": 3, "columns": {"a b": {"mean": 0.5}}})
        approvals.record([mine, verdict("2024-01-02", "v2")])
        found = approvals.verdicts("clean/t")
        assert set(found) == {"2024-01-01", "2024-01-02"}
        (one,) = found["2024-01-01"]
        assert (one.failed, one.approved, one.profile, one.run_id) == (("unique_x",), False, mine.profile, "run")
        assert one.at is not None
        assert approvals.verdicts("clean/t", ["2024-01-02"]).keys() == {"2024-01-02"}
        assert approvals.verdicts("clean/other") == approvals.verdicts("clean/t", ["2030-01-01"]) == {}

    def test_the_newest_comes_first_and_one_on_the_same_is_replaced(self, approvals: Approvals) -> None:
        for version, failed in (("a", ()), ("b", ("x",)), ("a", ("y",))):
            approvals.record([verdict("", version, *failed)])
        assert [(one.version, one.failed) for one in approvals.verdicts("clean/t")[""]] == [
            ("a", ("y",)),
            ("b", ("x",)),
        ]
        approvals.record([verdict("", "b", rules="other")])
        newest = approvals.verdicts("clean/t")[""][0]
        assert (newest.version, newest.rules, newest.approved) == ("b", "other", True)

    def test_of_each_partition_the_newest_are_kept(self, approvals: Approvals) -> None:
        for number in range(KEPT + 3):
            approvals.record([verdict("a", f"v{number}")])
        approvals.record([verdict("b", "v")])
        found = approvals.verdicts("clean/t")
        assert [one.version for one in found["a"]] == [f"v{number}" for number in range(KEPT + 2, 2, -1)]
        assert len(found["b"]) == 1

    def test_many_partitions_at_once_and_several_writers(self, approvals: Approvals) -> None:
        keys = [f"p{number}" for number in range(1_200)]
        writers = [
            threading.Thread(target=approvals.record, args=([verdict(key, version) for key in keys],))
            for version in ("x", "y")
        ]
        for one in writers:
            one.start()
        for one in writers:
            one.join()
        found = approvals.verdicts("clean/t", keys)
        assert set(found) == set(keys)
        assert all({one.version for one in several} == {"x", "y"} for several in found.values())

    def test_nothing_to_record_is_nothing(self, approvals: Approvals) -> None:
        approvals.record([])
        assert approvals.verdicts("clean/t") == {}
