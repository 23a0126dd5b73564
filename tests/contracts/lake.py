"""What every adapter of the lake port must do. An adapter's test module subclasses `LakeContract` and gives `lake`."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from resources.lake.base import Exchange, Lake, LakeConflictError, SchemaChangedError

V1, V2, V3 = "1" * 64, "2" * 64, "f" * 64


def rows(*pairs: tuple[str, str | None]) -> pa.Table:
    return pa.table(
        {
            "_partition": pa.array([p for p, _ in pairs], pa.string()),
            "value": pa.array([v for _, v in pairs], pa.string()),
            "_row": pa.array(range(1, len(pairs) + 1), pa.int64()),
        }
    )


def values(lake: Lake, table: str = "t", partitions: list[str] | None = None) -> list[tuple[str, str]]:
    found = lake.scan(table, partitions=partitions, columns=["_partition", "value"]).to_pylist()
    return sorted((row["_partition"], row["value"]) for row in found)


class LakeContract:
    @pytest.fixture
    def lake(self) -> Lake:
        raise NotImplementedError

    def test_a_table_that_is_not_there_has_no_versions_and_cannot_be_read(self, lake: Lake) -> None:
        assert lake.versions("t") == {}
        assert lake.rows("t") == {}
        with pytest.raises(KeyError):
            lake.scan("t")

    def test_a_replaced_partition_has_the_new_rows_and_version_and_the_others_stay(self, lake: Lake) -> None:
        lake.replace(
            "t", rows(("a", "1"), ("b", "2"), ("a", "3")), versions={"a": V1, "b": V1}, partition_column="_partition"
        )
        lake.replace("t", rows(("b", "9")), versions={"b": V2}, partition_column="_partition")
        assert values(lake) == [("a", "1"), ("a", "3"), ("b", "9")]
        assert lake.versions("t") == {"a": V1, "b": V2}
        assert lake.rows("t") == {"a": 2, "b": 1}

    def test_the_whole_data_version_comes_back(self, lake: Lake) -> None:
        version = "0123456789abcdef" * 4
        lake.replace("t", rows(("a", "1")), versions={"a": version}, partition_column="_partition")
        assert lake.versions("t") == {"a": version}

    def test_an_empty_partition_is_there_with_its_version(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1")), versions={"a": V1, "b": V2}, partition_column="_partition")
        lake.replace("t", rows(), versions={"a": V3}, partition_column="_partition")
        assert lake.versions("t") == {"a": V3, "b": V2}
        assert lake.rows("t") == {"a": 0, "b": 0}
        assert lake.scan("t").num_rows == 0
        assert set(lake.scan("t").column_names) == {"_partition", "value", "_row"}

    def test_a_first_commit_may_have_no_rows_at_all(self, lake: Lake) -> None:
        lake.replace("t", iter([]), versions={"a": V1}, partition_column="_partition", schema=rows().schema)
        assert lake.versions("t") == {"a": V1}
        assert lake.scan("t").num_rows == 0

    def test_a_table_without_partitions_is_replaced_whole(self, lake: Lake) -> None:
        lake.replace("t", pa.table({"x": [1, 2]}), versions={"": V1}, partition_column=None)
        lake.replace("t", pa.table({"y": ["only"]}), versions={"": V2}, partition_column=None)
        assert lake.scan("t").to_pydict() == {"y": ["only"]}
        assert lake.versions("t") == {"": V2}
        assert lake.rows("t") == {"": 1}

    def test_rows_may_come_in_chunks_and_a_partition_in_several_of_them(self, lake: Lake) -> None:
        def chunks() -> Iterator[pa.RecordBatch]:
            for start in range(0, 10, 2):
                table = rows(("a", str(start)), ("b", str(start + 1)))
                yield from table.to_batches()

        lake.replace("t", chunks(), versions={"a": V1, "b": V2}, partition_column="_partition")
        assert [v for _, v in values(lake, partitions=["a"])] == ["0", "2", "4", "6", "8"]
        assert lake.rows("t") == {"a": 5, "b": 5}
        batches = list(lake.batches("t", partitions=["b"], columns=["value"], batch_rows=2))
        assert all(batch.num_rows <= 2 for batch in batches)
        assert sum(batch.num_rows for batch in batches) == 5

    def test_a_scan_reads_the_partitions_and_columns_it_is_asked_for(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1"), ("b", "2")), versions={"a": V1, "b": V1}, partition_column="_partition")
        assert values(lake, partitions=["b", "nowhere"]) == [("b", "2")]
        assert lake.scan("t", partitions=[]).num_rows == 0
        assert lake.scan("t", partitions=["nowhere"]).num_rows == 0
        assert lake.scan("t", columns=["value"]).column_names == ["value"]

    def test_rows_of_a_partition_that_is_not_named_are_refused_and_nothing_changes(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        with pytest.raises(ValueError, match="'b'"):
            lake.replace("t", rows(("a", "2"), ("b", "2")), versions={"a": V2}, partition_column="_partition")
        assert values(lake) == [("a", "1")]
        assert lake.versions("t") == {"a": V1}

    def test_a_row_without_a_partition_is_refused(self, lake: Lake) -> None:
        bad = rows(("a", "1")).set_column(0, "_partition", pa.array([None], pa.string()))
        with pytest.raises(ValueError, match="_partition"):
            lake.replace("t", bad, versions={"a": V1}, partition_column="_partition")
        assert lake.versions("t") == {}

    def test_a_writer_that_is_left_without_a_commit_leaves_nothing(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        size = lake.size("t")
        with lake.writer("t", rows().schema, partition_column="_partition") as writer:
            writer.write(rows(("a", "2")))
        assert values(lake) == [("a", "1")]
        assert lake.size("t") == size

    def test_of_two_writers_that_saw_the_same_state_the_second_is_refused(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        with lake.writer("t", rows().schema, partition_column="_partition") as slow:
            slow.write(rows(("a", "slow")))
            lake.replace("t", rows(("b", "fast")), versions={"b": V2}, partition_column="_partition")
            with pytest.raises(LakeConflictError):
                slow.commit({"a": V3})
        assert values(lake) == [("a", "1"), ("b", "fast")]
        assert lake.versions("t") == {"a": V1, "b": V2}

    def test_a_new_column_joins_and_a_column_that_went_is_null(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1"), ("b", "2")), versions={"a": V1, "b": V1}, partition_column="_partition")
        new = rows(("b", "9")).drop_columns(["value"]).append_column("extra", pa.array([1.5]))
        lake.replace("t", new, versions={"b": V2}, partition_column="_partition")
        found = {row["_partition"]: row for row in lake.scan("t").to_pylist()}
        assert found["a"] == {"_partition": "a", "value": "1", "_row": 1, "extra": None}
        assert found["b"] == {"_partition": "b", "value": None, "_row": 1, "extra": 1.5}

    def test_a_changed_type_is_refused_while_older_partitions_stay_and_allowed_when_none_does(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1"), ("b", "2")), versions={"a": V1, "b": V1}, partition_column="_partition")
        changed = rows(("a", "1")).set_column(1, "value", pa.array([1], pa.int64()))
        with pytest.raises(SchemaChangedError, match="value is string"):
            lake.replace("t", changed, versions={"a": V2}, partition_column="_partition")
        assert lake.versions("t") == {"a": V1, "b": V1}
        lake.replace("t", changed, versions={"a": V2, "b": V2}, partition_column="_partition")
        assert lake.scan("t").to_pylist() == [{"_partition": "a", "value": 1, "_row": 1}]

    def test_types_survive(self, lake: Lake) -> None:
        table = pa.table(
            {
                "i": pa.array([1, None], pa.int64()),
                "n": pa.array([1, None], pa.int32()),
                "f": pa.array([0.1, None], pa.float64()),
                "b": pa.array([True, None]),
                "d": pa.array([0, None], pa.date32()),
                "t": pa.array([1, None], pa.timestamp("us", "UTC")),
                "c": pa.array(["1.2300", None]).cast(pa.decimal128(10, 4)),
                "s": pa.array(["é\n", None]).dictionary_encode(),
            }
        )
        lake.replace("t", table, versions={"": V1}, partition_column=None)
        found = lake.scan("t")
        assert found.to_pydict() == table.to_pydict()
        assert found.schema.field("t").type == pa.timestamp("us", "UTC")
        assert found.schema.field("c").type == pa.decimal128(10, 4)
        assert lake.schema("t").names == table.column_names

    def test_an_append_happens_once_per_app_and_version(self, lake: Lake) -> None:
        table = pa.table({"position": pa.array([1, 2], pa.int64())})
        assert lake.append("log", table, app_id="sealing", version=2)
        assert not lake.append("log", table, app_id="sealing", version=2)
        assert not lake.append("log", table, app_id="sealing", version=1)
        assert lake.append("log", pa.table({"position": pa.array([3], pa.int64())}), app_id="sealing", version=3)
        assert lake.append("log", table.slice(0, 0), app_id="other", version=1)
        assert sorted(lake.scan("log")["position"].to_pylist()) == [1, 2, 3]
        assert lake.app_version("log", "sealing") == 3
        assert lake.app_version("log", "nobody") is None
        assert lake.rows("log") == {"": 3}

    def test_an_append_that_goes_on_from_another_version_is_a_conflict(self, lake: Lake) -> None:
        first, second = (pa.table({"position": pa.array([n], pa.int64())}) for n in (1, 2))
        assert lake.append("log", first, app_id="sealing", version=2, after=-1)
        with pytest.raises(LakeConflictError, match="at version 2 of sealing, not at -1"):
            lake.append("log", second, app_id="sealing", version=4, after=-1)
        assert lake.append("log", second, app_id="sealing", version=4, after=2)
        assert sorted(lake.scan("log")["position"].to_pylist()) == [1, 2]

    def test_an_exchange_takes_out_by_key_and_puts_in_at_once(self, lake: Lake) -> None:
        odd = {"a.b": pa.array(["x", None, "y", "y"]), 'Select "1"': pa.array([1, 2, 3, 4], pa.int64())}
        table = pa.table(odd)
        lake.replace("t", table, versions={"": V1}, partition_column=None)
        state = lake.state("t")
        gone = pa.table({"a.b": pa.array([None, "y"], pa.string())})
        new = pa.table({"a.b": ["z"], 'Select "1"': pa.array([9], pa.int64())})
        lake.exchange("t", Exchange(new, gone, 3), versions={"": V2}, after=state, metadata={"is": "said"})
        assert sorted(tuple(row.values()) for row in lake.scan("t").to_pylist()) == [("x", 1), ("z", 9)]
        state = lake.state("t")
        assert (dict(state.versions), dict(state.rows), dict(state.metadata)) == ({"": V2}, {"": 2}, {"is": "said"})
        assert lake.count("t") == 2

    def test_an_exchange_may_only_add_or_change_nothing(self, lake: Lake) -> None:
        table = pa.table({"a": ["x"]})
        lake.replace("t", table, versions={"": V1}, partition_column=None)
        none = table.slice(0, 0)
        lake.exchange("t", Exchange(table, none, 0), versions={"": V2}, after=lake.state("t"))
        lake.exchange("t", Exchange(none, none, 0), versions={"": V3}, after=lake.state("t"))
        assert lake.scan("t")["a"].to_pylist() == ["x", "x"]
        assert (lake.versions("t"), lake.rows("t")) == ({"": V3}, {"": 2})

    def test_an_exchange_that_goes_on_from_another_commit_is_a_conflict(self, lake: Lake) -> None:
        table = pa.table({"a": ["x", "y"]})
        lake.replace("t", table, versions={"": V1}, partition_column=None)
        seen = lake.state("t")
        lake.replace("t", table, versions={"": V2}, partition_column=None)
        for gone in (table.slice(1), table.slice(0, 0)):
            exchange = Exchange(table, gone, gone.num_rows)
            with pytest.raises(LakeConflictError):
                lake.exchange("t", exchange, versions={"": V3}, after=seen)
        assert (lake.versions("t"), lake.rows("t")) == ({"": V2}, {"": 2})

    def test_metadata_of_the_newest_commit_comes_back(self, lake: Lake) -> None:
        lake.replace("t", pa.table({"x": [1]}), versions={"": V1}, partition_column=None, metadata={"run": "r1"})
        assert lake.state("t").metadata == {"run": "r1"}

    def test_pruning_frees_old_versions_and_keeps_the_newest(self, lake: Lake) -> None:
        for version in (V1, V2, V3):
            lake.replace("t", rows(("a", version)), versions={"a": version}, partition_column="_partition")
        assert lake.prune("t", older_than_seconds=3600) == 0
        assert lake.prune("t", older_than_seconds=-1) > 0
        assert values(lake) == [("a", V3)]
        assert lake.versions("t") == {"a": V3}
        assert len(lake.files("t")) == 1

    def test_many_commits_keep_versions_and_rows(self, lake: Lake) -> None:
        for n in range(60):
            lake.replace("t", rows(("a", str(n))), versions={"a": f"{n:064x}"}, partition_column="_partition")
        assert values(lake) == [("a", "59")]
        assert lake.versions("t") == {"a": f"{59:064x}"}

    def test_tables_are_listed_and_removed(self, lake: Lake) -> None:
        lake.replace("raw/one", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        lake.replace("clean/two", pa.table({"x": [1]}), versions={"": V1}, partition_column=None)
        assert lake.tables() == ["clean/two", "raw/one"]
        lake.remove("raw/one")
        lake.remove("raw/one")
        assert lake.tables() == ["clean/two"]
        assert lake.versions("raw/one") == {}

    def test_a_table_made_anew_is_not_taken_for_the_one_before(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        assert values(lake) == [("a", "1")]
        lake.remove("t")
        with pytest.raises(KeyError):
            lake.scan("t")
        lake.replace("t", pa.table({"other": [1]}), versions={"": V1}, partition_column=None)
        assert lake.scan("t").to_pydict() == {"other": [1]}

    def test_an_unknown_column_is_a_key_error(self, lake: Lake) -> None:
        lake.replace("t", rows(("a", "1")), versions={"a": V1}, partition_column="_partition")
        with pytest.raises(KeyError):
            lake.scan("t", columns=["nothing"])
