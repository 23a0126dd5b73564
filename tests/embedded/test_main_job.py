"""The main job on the real data, from files to answers, against DuckDB over the same files."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow.dataset as ds
import pytest

from gateway.readers import open_readers
from ontology_assets.model.loading import load_domain
from resources.home import PROJECT_ROOT, Home
from tests.conftest import Spice

Oracle = duckdb.DuckDBPyConnection


def one(oracle: Oracle, sql: str) -> Any:
    return oracle.execute(sql).fetchone()[0]  # type: ignore[index]


def expected_objects(oracle: Oracle) -> dict[str, int]:
    return {
        "Flight": one(oracle, "SELECT count(DISTINCT (carrier, flight, origin, time_hour)) FROM flights"),
        "Airline": one(oracle, "SELECT count(DISTINCT carrier) FROM airlines"),
        "Airport": one(oracle, "SELECT count(DISTINCT faa) FROM airports"),
        "Plane": one(oracle, "SELECT count(DISTINCT tailnum) FROM planes"),
        "WeatherObservation": one(oracle, "SELECT count(DISTINCT (origin, time_hour)) FROM weather"),
        "CarrierDay": one(
            oracle, "SELECT count(DISTINCT (carrier, year, month, day)) FROM flights WHERE dep_delay IS NOT NULL"
        ),
    }


def test_every_row_became_an_object_of_its_type(demo: Spice, oracle: Oracle) -> None:
    assert demo.json("objects", "count") == expected_objects(oracle)


def test_a_fresh_load_is_all_creations(demo: Spice, oracle: Oracle) -> None:
    stats = demo.json("events", "stats")
    assert stats["by_type"]["ObjectCreated"] == sum(expected_objects(oracle).values())
    assert "ObjectUpdated" not in stats["by_type"]
    assert "ObjectDeleted" not in stats["by_type"]
    assert sum(stats["by_type"].values()) == stats["position"] == sum(stats["by_branch"].values())


def test_the_whole_log_verifies(demo: Spice) -> None:
    assert demo.run("events", "verify").returncode == 0


def test_followers_have_no_lag(demo: Spice) -> None:
    position = demo.json("events", "stats")["position"]
    status = demo.json("projection", "status")
    assert {name: (s["position"], s["lag"]) for name, s in status.items()} == dict.fromkeys(
        ("topic", "search", "graph"), (position, 0)
    )


def test_an_object_has_its_typed_values_and_links(demo: Spice, oracle: Oracle) -> None:
    row = oracle.execute(
        "SELECT tailnum, dest, distance, dep_delay, arr_delay FROM flights WHERE carrier='B6' AND flight=709"
        " AND origin='JFK' AND time_hour=TIMESTAMPTZ '2013-01-01T11:00:00Z'"
    ).fetchone()
    assert row is not None
    found = demo.json("objects", "get", "Flight", "B6", "709", "JFK", "2013-01-01T11:00:00Z")
    assert found["id"] == "B6/709/JFK/2013-01-01T11%3A00%3A00Z"
    assert found["links"]["flown_by"] == [row[0]]
    properties = found["properties"]
    assert (properties["tailnum"], properties["dest"], properties["distance"]) == row[:3]
    assert (properties["dep_delay"], properties["arr_delay"]) == row[3:]
    assert found["data_status"] == "FULL"
    assert found["sequence"] == 1


def test_the_pipeline_equals_duckdb_row_by_row(demo: Spice, oracle: Oracle) -> None:
    rows = oracle.execute(
        """
        WITH g AS (SELECT make_date(year, month, day) d, carrier, origin, count(*) n,
                          round(avg(CAST(dep_delay AS DECIMAL(18,10))), 4) m
                   FROM flights WHERE dep_delay IS NOT NULL GROUP BY ALL),
             r AS (SELECT *, rank() OVER (PARTITION BY d, origin ORDER BY m) k FROM g)
        SELECT d, carrier, max(n) FILTER (origin='EWR'), max(n) FILTER (origin='JFK'), max(n) FILTER (origin='LGA'),
               max(k) FILTER (origin='EWR'), max(k) FILTER (origin='JFK'), max(k) FILTER (origin='LGA'),
               max(m) FILTER (origin='JFK')
        FROM r GROUP BY d, carrier"""
    ).fetchall()
    sample = random.Random(7).sample(rows, 20)
    for day, carrier, *numbers, mean in sample:
        found = demo.json("objects", "get", "CarrierDay", carrier, day.isoformat())["properties"]
        names = ["flights_ewr", "flights_jfk", "flights_lga", "rank_ewr", "rank_jfk", "rank_lga"]
        assert [found.get(name) for name in names] == numbers, (carrier, day)
        if mean is not None:
            assert abs(float(found["mean_delay_jfk"]) - float(mean)) < 1e-3


def test_the_graph_answers_with_manufacturers(demo: Spice, oracle: Oracle) -> None:
    document = {
        "start": {
            "type": "Flight",
            "where": [
                ["carrier", "=", "B6"],
                ["origin", "=", "JFK"],
                ["dest", "=", "SJU"],
                ["flight_date", ">=", "2013-01-01"],
                ["flight_date", "<=", "2013-01-31"],
            ],
        },
        "hops": [{"link": "flown_by", "fields": ["manufacturer"]}],
    }
    answer = demo.json("graph", "-", stdin=json.dumps(document))
    assert answer["truncated"] is False
    made_by = {
        f"{node['type']}/{node['id']}": node["properties"].get("manufacturer")
        for node in answer["nodes"]
        if node["type"] == "Plane" and node["data_status"] != "MISSING"
    }
    counts: dict[str, int] = {}
    for edge in answer["edges"]:
        maker = made_by.get(edge["to"])
        if edge["link"] == "flown_by" and maker is not None:
            counts[maker] = counts.get(maker, 0) + 1
    expected = dict(
        oracle.execute(
            "SELECT p.manufacturer, count(*) FROM flights f JOIN planes p USING (tailnum) WHERE f.carrier='B6' AND"
            " f.origin='JFK' AND f.dest='SJU' AND f.month=1 GROUP BY 1"
        ).fetchall()
    )
    assert counts == expected


def test_a_link_to_nothing_is_a_missing_node(demo: Spice, oracle: Oracle) -> None:
    absent = one(oracle, "SELECT min(dest) FROM flights WHERE dest NOT IN (SELECT faa FROM airports)")
    document = {
        "start": {"type": "Flight", "where": [["dest", "=", absent], ["flight_date", "=", "2013-07-01"]]},
        "hops": [{"link": "arrives_at"}],
    }
    nodes = demo.json("graph", "-", stdin=json.dumps(document))["nodes"]
    assert [n["data_status"] for n in nodes if n["type"] == "Airport"] == ["MISSING"]


def test_search_pages_through_everything_once(demo: Spice, oracle: Oracle) -> None:
    expected = one(oracle, "SELECT count(*) FROM flights WHERE dep_delay > 500")
    seen: list[str] = []
    after: list[str] = []
    while True:
        page = demo.json("search", "", "--type", "Flight", "--where", "dep_delay > 500", "--limit", "50", *after)
        seen += [found["id"] for found in page["objects"]]
        assert page["total"] == expected
        if "after" not in page:
            break
        after = ["--after", page["after"]]
    assert len(seen) == len(set(seen)) == expected


def test_unknown_names_are_refused_with_the_allowed_ones(demo: Spice) -> None:
    done = demo.run("search", "", "--type", "Flight", "--where", "colour = red", "--json", check=False)
    assert done.returncode != 0
    problem = json.loads(done.stderr.strip().splitlines()[-1])
    assert problem["status"] == 400
    assert "dep_delay" in problem["allowed"]


def test_the_log_folded_by_pyarrow_alone_equals_the_answers(demo: Spice, oracle: Oracle) -> None:
    sealed = ds.dataset(demo.home / "lake" / "events" / "nyc_flights", format="parquet", exclude_invalid_files=True)
    table = sealed.to_table(
        columns=["aggregate_type", "aggregate_id", "sequence_number", "event_type", "data"],
        filter=ds.field("event_type").isin(["ObjectCreated", "ObjectUpdated", "ObjectDeleted"]),
    )
    folded: dict[tuple[str, str], tuple[int, str]] = {}
    for kind, key, sequence, data in zip(
        *(table[name].to_pylist() for name in ("aggregate_type", "aggregate_id", "sequence_number", "data")),
        strict=True,
    ):
        if sequence > folded.get((kind, key), (0, ""))[0]:
            folded[(kind, key)] = (sequence, data)
    counts: dict[str, int] = {}
    for kind, _ in folded:
        counts[kind] = counts.get(kind, 0) + 1
    assert counts == expected_objects(oracle)
    readers = open_readers(Home(demo.home), [load_domain(PROJECT_ROOT / "orchestration" / "defs" / "nyc_flights")])
    for kind, key in random.Random(11).sample(sorted(folded), 1000):
        state = json.loads(folded[(kind, key)][1])["state"]
        found = readers.queries.get(kind, key).document
        assert found["links"] == state.get("links", {}), (kind, key)
        assert found["properties"] == state["properties"], (kind, key)


@pytest.mark.parametrize(
    ("link", "sql"),
    [
        ("flown_by", "SELECT count(*) FROM flights WHERE tailnum NOT IN (SELECT tailnum FROM planes)"),
        ("arrives_at", "SELECT count(*) FROM flights WHERE dest NOT IN (SELECT faa FROM airports)"),
        (
            "had_weather",
            "SELECT count(*) FROM flights f WHERE NOT EXISTS (SELECT 1 FROM weather w WHERE w.origin = f.origin"
            " AND w.time_hour = f.time_hour)",
        ),
    ],
)
def test_dangling_links_are_counted_and_kept(demo: Spice, oracle: Oracle, link: str, sql: str) -> None:
    table = ds.dataset(
        demo.home / "lake" / "ontology" / "flight" / "dangling", format="parquet", ignore_prefixes=["_delta_log"]
    )
    assert table.count_rows(filter=ds.field("link") == link) == one(oracle, sql)


def test_history_begins_with_the_creation(demo: Spice) -> None:
    events = demo.json("objects", "history", "Airline", "B6")
    assert [(e["event_type"], e["sequence_number"]) for e in events] == [("ObjectCreated", 1)]
    recorded = datetime.fromisoformat(events[0]["recorded_at"])
    assert recorded <= datetime.now(UTC)
