"""Searches and graphs over the finished demo's read models, against DuckDB over the same source files."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest

from gateway.readers import Readers, open_readers
from ontology_assets.model.loading import load_domain
from ontology_assets.queries.service import Queries
from resources.home import PROJECT_ROOT, Home

Oracle = duckdb.DuckDBPyConnection
DOMAIN = load_domain(PROJECT_ROOT / "orchestration/defs/nyc_flights")


@pytest.fixture(scope="module")
def readers(demo_home: Path) -> Readers:
    return open_readers(Home(demo_home), [DOMAIN])


@pytest.fixture(scope="module")
def queries(readers: Readers) -> Queries:
    return readers.queries


def one(oracle: Oracle, sql: str) -> Any:
    return oracle.execute(sql).fetchone()[0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("kind", "where", "table", "condition"),
    [
        ("Flight", [["dep_delay", ">", 60]], "flights", "dep_delay > 60"),
        ("Flight", [["dep_delay", "is_null", True]], "flights", "dep_delay IS NULL"),
        ("Flight", [["dep_delay", "!=", 0]], "flights", "dep_delay <> 0"),
        ("Flight", [["carrier", "=", "B6"], ["dest", "=", "SJU"]], "flights", "carrier = 'B6' AND dest = 'SJU'"),
        ("Flight", [["dest", "in", ["BQN", "PSE", "SJU", "STT"]]], "flights", "dest IN ('BQN', 'PSE', 'SJU', 'STT')"),
        ("Flight", [["tailnum", "is_null"]], "flights", "tailnum IS NULL"),
        (
            "Flight",
            [["flight_date", ">=", "2013-03-10"], ["flight_date", "<", "2013-03-12"], ["distance", ">=", 1000]],
            "flights",
            "month = 3 AND day IN (10, 11) AND distance >= 1000",
        ),
        (
            "Flight",
            [["time_hour", ">", "2013-07-01T06:00:00-04:00"], ["time_hour", "<=", "2013-07-02"]],
            "flights",
            "time_hour > '2013-07-01 10:00:00Z' AND time_hour <= '2013-07-02 00:00:00Z'",
        ),
        ("Plane", [["year", "<", 1970], ["seats", ">", 5]], "planes", "year < 1970 AND seats > 5"),
        ("Airport", [["dst", "=", "N"], ["altitude", ">", 3000]], "airports", "dst = 'N' AND alt > 3000"),
        ("WeatherObservation", [["temp", ">=", 99.5]], "weather", "temp >= 99.5"),
        (
            "Airport",
            [["location", "within", {"lat": 40.6397, "lon": -73.7789, "km": 80}]],
            "airports",
            "2 * 6371.0088 * asin(sqrt(pow(sin(radians(lat - 40.6397) / 2), 2) + cos(radians(lat)) "
            "* cos(radians(40.6397)) * pow(sin(radians(lon + 73.7789) / 2), 2))) <= 80",
        ),
    ],
)
def test_totals_of_filters(queries: Queries, oracle: Oracle, kind: str, where: Any, table: str, condition: str) -> None:
    total = queries.search({"type": kind, "where": where, "limit": 1, "fields": []}).document["total"]
    assert total == one(oracle, f"SELECT count(*) FROM {table} WHERE {condition}") > 0


def test_words_find_what_a_search_of_the_text_finds(queries: Queries, oracle: Oracle) -> None:
    found = queries.search({"type": "Plane", "text": "airbus industrie", "limit": 1}).document["total"]
    assert found == one(oracle, "SELECT count(*) FROM planes WHERE manufacturer = 'AIRBUS INDUSTRIE'")
    found = queries.search({"type": "Airport", "text": "intl", "limit": 1}).document["total"]
    assert found == one(oracle, r"SELECT count(*) FROM airports WHERE regexp_matches(lower(name), '\bintl\b')")
    found = queries.search({"type": "Flight", "text": "B6 709", "limit": 1}).document["total"]
    assert found == one(oracle, "SELECT count(*) FROM flights WHERE carrier = 'B6' AND flight = 709")
    found = queries.search({"type": "Flight", "text": "UA 12*", "limit": 1}).document["total"]
    assert found == one(oracle, "SELECT count(*) FROM flights WHERE carrier = 'UA' AND flight::text LIKE '12%'")


def test_a_sorted_search_paged_to_its_end_is_the_sorted_table(queries: Queries, oracle: Oracle) -> None:
    document = {
        "type": "Flight",
        "where": [["carrier", "=", "HA"]],
        "sort": [["arr_delay", "desc"], ["time_hour", "asc"]],
        "fields": ["arr_delay", "time_hour"],
        "limit": 100,
    }
    paged: list[tuple[Any, Any]] = []
    after = None
    while True:
        page = queries.search({**document, "after": after}).document
        properties = [o["properties"] for o in page["objects"]]
        paged += [(p.get("arr_delay"), p["time_hour"]) for p in properties]
        if (after := page.get("after")) is None:
            break
    rows = oracle.execute(
        "SELECT arr_delay, strftime(time_hour, '%Y-%m-%dT%H:%M:%S.%fZ') FROM flights WHERE carrier = 'HA' "
        "ORDER BY arr_delay DESC NULLS LAST, time_hour ASC"
    ).fetchall()
    assert paged == [(row[0], row[1]) for row in rows]


def test_decimals_of_the_pipeline_compare_as_numbers(queries: Queries, oracle: Oracle) -> None:
    total = queries.search({"type": "CarrierDay", "where": [["mean_delay_jfk", ">", "99.5"]]}).document["total"]
    assert total == one(
        oracle,
        "SELECT count(*) FROM (SELECT avg(dep_delay) AS mean FROM flights WHERE origin = 'JFK' "
        "AND dep_delay IS NOT NULL GROUP BY carrier, year, month, day) WHERE round(mean, 4) > 99.5",
    )


def test_one_hop_counts_planes_by_manufacturer(queries: Queries, oracle: Oracle) -> None:
    found = queries.graph(
        {
            "start": {
                "type": "Flight",
                "where": [
                    ["carrier", "=", "B6"],
                    ["origin", "=", "JFK"],
                    ["dest", "=", "SJU"],
                    ["flight_date", "<=", "2013-01-31"],
                ],
            },
            "hops": [{"link": "flown_by", "fields": ["manufacturer"]}],
        }
    ).document
    makers = {f"Plane/{n['id']}": n["properties"].get("manufacturer") for n in found["nodes"] if n["type"] == "Plane"}
    counted: dict[str | None, int] = {}
    for edge in found["edges"]:
        counted[makers[edge["to"]]] = counted.get(makers[edge["to"]], 0) + 1
    rows = oracle.execute(
        "SELECT p.manufacturer, count(*) FROM flights f LEFT JOIN planes p USING (tailnum) WHERE f.carrier = 'B6' "
        "AND f.origin = 'JFK' AND f.dest = 'SJU' AND f.month = 1 AND f.tailnum IS NOT NULL GROUP BY ALL"
    ).fetchall()
    assert counted == dict(rows)
    assert found["truncated"] is False
    assert {n["data_status"] for n in found["nodes"] if n["type"] == "Plane"} <= {"PARTIAL", "MISSING"}


def test_an_airport_that_no_file_has_is_missing_and_leads_back_to_its_flights(queries: Queries, oracle: Oracle) -> None:
    found = queries.graph(
        {
            "start": {"type": "Airport", "id": "SJU"},
            "hops": [{"link": "arrivals", "fields": []}, {"link": "operated_by", "fields": ["name"]}],
            "max_nodes": 50_000,
            "max_edges": 100_000,
        }
    ).document
    assert found["nodes"][0] == {
        "type": "Airport",
        "id": "SJU",
        "title": "SJU",
        "data_status": "MISSING",
        "properties": {},
    }
    flights = one(oracle, "SELECT count(*) FROM flights WHERE dest = 'SJU'")
    assert sum(n["type"] == "Flight" for n in found["nodes"]) == flights
    assert {n["title"] for n in found["nodes"] if n["type"] == "Airline"} == {
        row[0]
        for row in oracle.execute(
            "SELECT DISTINCT name FROM flights JOIN airlines USING (carrier) WHERE dest = 'SJU'"
        ).fetchall()
    }
    assert len(found["edges"]) == 2 * flights


def test_three_hops_with_filters_on_the_way(queries: Queries, oracle: Oracle) -> None:
    """Planes of one maker, their late flights on one day, and the weather of those hours."""
    found = queries.graph(
        {
            "start": {"type": "Plane", "where": [["manufacturer", "=", "EMBRAER"]], "fields": []},
            "hops": [
                {
                    "link": "flights",
                    "where": [["flight_date", "=", "2013-03-08"], ["dep_delay", ">", 100]],
                    "fields": ["dep_delay"],
                },
                {"link": "had_weather", "where": [["visib", "<", 5]], "fields": ["visib"]},
                {"link": "flights", "where": [["carrier", "=", "DL"]]},
            ],
        }
    ).document
    late = (
        "SELECT f.carrier, f.flight, f.origin, f.time_hour FROM flights f JOIN planes p USING (tailnum) "
        "WHERE p.manufacturer = 'EMBRAER' AND f.month = 3 AND f.day = 8 AND f.dep_delay > 100"
    )
    murky = "SELECT origin, time_hour FROM weather WHERE visib < 5"
    hours = f"SELECT DISTINCT origin, time_hour FROM ({late}) JOIN ({murky}) USING (origin, time_hour)"
    others = f"SELECT f.* FROM flights f JOIN ({hours}) USING (origin, time_hour) WHERE f.carrier = 'DL'"
    columns = "carrier, flight, origin, time_hour"
    kinds = [n["type"] for n in found["nodes"]]
    links = [e["link"] for e in found["edges"]]
    assert kinds.count("Flight") == one(oracle, f"SELECT count(*) FROM ({late} UNION SELECT {columns} FROM ({others}))")
    assert kinds.count("WeatherObservation") == one(oracle, f"SELECT count(*) FROM ({hours})") > 0
    assert links.count("flown_by") == one(oracle, f"SELECT count(*) FROM ({late})") > 0
    in_murk = f"SELECT {columns} FROM ({late}) JOIN ({hours}) USING (origin, time_hour)"
    assert links.count("had_weather") == one(
        oracle, f"SELECT count(*) FROM ({in_murk} UNION SELECT {columns} FROM ({others}))"
    )
    assert one(oracle, f"SELECT count(*) FROM ({others})") > 0


def test_an_object_s_history_ends_in_what_is_answered(queries: Queries, oracle: Oracle) -> None:
    row = oracle.execute(
        "SELECT carrier, flight, origin, strftime(time_hour, '%Y-%m-%dT%H:%M:%SZ') FROM flights "
        "USING SAMPLE 5 (reservoir, 7)"
    ).fetchall()
    for parts in row:
        key = queries.key_text("Flight", [str(part) for part in parts])
        assert key == "/".join(quote(str(part), safe="") for part in parts)
        found, events = queries.get("Flight", key).document, queries.history("Flight", key)
        assert [e["sequence_number"] for e in events] == list(range(1, len(events) + 1))
        assert events[-1]["data"]["state"] == {"links": found["links"], "properties": found["properties"]}
        assert (events[-1]["sequence_number"], events[-1]["position"]) == (found["sequence"], found["position"])


def test_both_models_are_proved_and_have_the_same_digest(readers: Readers) -> None:
    _, search, graph = readers.sinks(DOMAIN.name)
    proofs = [sink.proof() for sink in (search, graph)]  # type: ignore[attr-defined]
    assert len({digest for proof in proofs for digest in (proof.kept, proof.recomputed)}) == 1
    assert {proof.position for proof in proofs} == {readers.log(DOMAIN.name).end().position}
