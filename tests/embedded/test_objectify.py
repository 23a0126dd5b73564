"""Objectify over the sample: Sail reads, the log keeps, DuckDB knows what is right.

The clean tables are typed by DuckDB here, so that nothing of the tests' expectations comes from our own stages.
"""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pytest

from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.keys import parse_key
from ontology_assets.materializations import details_of, rows_of
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from ontology_assets.objectify.decide import Load, PartitionLoad, decide
from ontology_assets.objectify.elsewhere import key_elsewhere
from ontology_assets.objectify.links import check_links
from ontology_assets.objectify.mapping import MappingRefused, compile_mapping, read_links, read_mapped
from ontology_assets.objectify.protection import protections, quarantine_versions
from ontology_assets.objectify.states import link_rows, states_of
from resources.home import PROJECT_ROOT
from resources.lake.local import LocalLake
from resources.object_store.local import LocalObjectStore
from resources.sources import find_source
from resources.spark import session
from transforms.clean import clean
from transforms.expressions import ExpressionError
from transforms.quarantine import SCHEMA as QUARANTINE
from transforms.quarantine import table_name, with_partition
from transforms.raw import ingest

DOMAIN = PROJECT_ROOT / "orchestration/defs/nyc_flights"
DAYS = "strftime(make_date(year, month, day), '%Y-%m-%d')"
CASTS = {
    "flights": "CAST(flight AS BIGINT) AS flight, CAST(time_hour AS TIMESTAMPTZ) AS time_hour",
    "weather": "CAST(time_hour AS TIMESTAMPTZ) AS time_hour",
    "airports": "CAST(lat AS DOUBLE) AS lat, CAST(lon AS DOUBLE) AS lon",
    "planes": "CAST(year AS BIGINT) AS year",
    "airlines": "carrier AS carrier",
}
CARRIER_DAY = f"""
    WITH per AS (
        SELECT make_date(year, month, day) AS flight_date, f.carrier, a.name AS carrier_name, origin,
               count(*) AS flights, CAST(round(avg(dep_delay), 4) AS DECIMAL(10, 4)) AS mean_delay, {DAYS} AS _partition
        FROM flights f JOIN airlines a USING (carrier) WHERE dep_delay IS NOT NULL GROUP BY ALL),
    ranked AS (SELECT *, rank() OVER (PARTITION BY flight_date, origin ORDER BY mean_delay) AS rank FROM per)
    SELECT flight_date, carrier, carrier_name, _partition,
           {
    ", ".join(
        f"max({column}) FILTER (origin = '{origin.upper()}') AS {column}_{origin}"
        for column in ("flights", "mean_delay", "rank")
        for origin in ("ewr", "jfk", "lga")
    )
}
    FROM ranked GROUP BY ALL"""


@dataclass
class House:
    """A lake, a log and its heads in one folder; the sample in DuckDB."""

    root: Path
    domain: Domain
    source: duckdb.DuckDBPyConnection
    lake: LocalLake = field(init=False)

    def __post_init__(self) -> None:
        self.lake = LocalLake(self.root / "lake")
        self.log = EventLog(LocalObjectStore(self.root / "objects"), self.domain.name)
        self.heads = Heads(self.root / "heads.sqlite", self.log)

    def put(self, table: str, rows: pa.Table, versions: dict[str, str]) -> None:
        column = "_partition" if "_partition" in rows.column_names else None
        self.lake.replace(table, rows, versions=versions, partition_column=column)

    def put_all(self) -> None:
        for dataset in CASTS:
            rows = self.rows(dataset)
            self.put(f"clean/{dataset}", rows, dict.fromkeys(_partitions(rows), "1"))
        rows = self.source.sql(CARRIER_DAY).to_arrow_table()
        self.put("transform/daily_punctuality", rows, dict.fromkeys(_partitions(rows), "1"))

    def put_day(self, day: str, version: str) -> None:
        self.put("clean/flights", self.rows("flights", f"WHERE {DAYS} = '{day}'"), {day: version})

    def rows(self, dataset: str, condition: str = "") -> pa.Table:
        day = f", {DAYS} AS _partition" if dataset == "flights" else ""
        return self.source.sql(
            f"SELECT * REPLACE ({CASTS[dataset]}), '{dataset}.csv' AS _source_file, _row + 1 AS _line{day} "
            f"FROM {dataset} {condition}"
        ).to_arrow_table()

    def objects(self, type_name: str, *, size: int = 31, only: list[str] | None = None) -> int:
        """Objectify a type in chunks of partitions; returns the events appended, envelopes left out."""
        object_type = self.domain.object_types[type_name]
        source = self.domain.mappings[type_name].source
        asset = f"ontology/{object_type.snake}/objects"
        versions = self.lake.versions(source)
        spoilt = quarantine_versions(self.lake, self.domain, object_type, sorted(versions))
        versions = {key: version + spoilt.get(key, "") for key, version in versions.items()}
        run = only or sorted(versions)
        appended = 0
        for first in range(0, len(run), size):
            chunk = run[first : first + size]
            mapped = read_mapped(session(), self.lake, self.domain, object_type, chunk)
            kept = protections(self.lake, self.domain, object_type, chunk, engine=session)
            load = Load(
                asset,
                object_type,
                [PartitionLoad(key, versions[key], (), **vars(kept[key])) for key in chunk],
                states_of(object_type, self.domain.object_types, mapped),
                "run-1",
                "code-1",
            )
            places = key_elsewhere(session(), self.lake, self.domain, object_type, here=chunk, run=run)
            commit = self.log.append(
                self.heads, lambda heads, load=load, places=places: decide(load, heads, self.log.states, places)
            )
            appended += (
                0
                if commit is None
                else commit.events - sum(1 for e in self.new(commit.first) if e["aggregate_type"] == "Asset")
            )
        return appended

    def new(self, first: int) -> list[dict]:
        return [row for batch in self.log.events(first - 1) for row in batch.to_pylist()]

    def since(self, position: int) -> list[dict]:
        return [e for e in self.new(position + 1) if e["aggregate_type"] != "Asset"]


def _partitions(rows: pa.Table) -> list[str]:
    return sorted(set(rows["_partition"].to_pylist())) if "_partition" in rows.column_names else [""]


def _source(sample_files: Path) -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    for name in CASTS:
        file = next(sample_files.glob(f"{name}.csv*"))
        content = file.read_bytes()
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as packed:
                content = packed.read(packed.namelist()[0])
        options = pyarrow.csv.ConvertOptions(
            strings_can_be_null=True, null_values=["NA"], column_types={"time_hour": pa.timestamp("us", "UTC")}
        )
        db.register("file", pyarrow.csv.read_csv(pa.BufferReader(content), convert_options=options))
        db.execute(f"CREATE TABLE {name} AS SELECT *, row_number() OVER () AS _row FROM file")
    return db


@pytest.fixture(scope="module")
def house(tmp_path_factory, sample_files) -> House:
    house = House(tmp_path_factory.mktemp("objectify"), load_domain(DOMAIN), _source(sample_files))
    house.put_all()
    for type_name in house.domain.mappings:
        house.objects(type_name, size=31 if type_name == "Flight" else 400)
    return house


def _count(house: House, sql: str) -> int:
    return house.source.sql(sql).fetchall()[0][0]


def test_every_row_is_one_object(house):
    expected = {
        "Flight": _count(house, "SELECT count(DISTINCT (carrier, flight, origin, time_hour)) FROM flights"),
        "Airline": _count(house, "SELECT count(*) FROM airlines"),
        "Airport": _count(house, "SELECT count(*) FROM airports"),
        "Plane": _count(house, "SELECT count(*) FROM planes"),
        "WeatherObservation": _count(house, "SELECT count(*) FROM weather"),
        "CarrierDay": _count(
            house, "SELECT count(DISTINCT (carrier, year, month, day)) FROM flights WHERE dep_delay IS NOT NULL"
        ),
    }
    house.heads.catch_up()
    assert house.heads.counts() == dict(sorted(expected.items()))
    assert house.heads.stats()["by_type"]["ObjectCreated"] == sum(expected.values())


def test_a_random_thousand_of_states_is_what_the_source_says(house):
    chosen = house.source.sql(
        "SELECT carrier, flight, origin, dest, tailnum, distance, dep_delay, arr_delay, "
        "strftime(time_hour, '%Y-%m-%dT%H:%M:%SZ') AS hour, strftime(make_date(year, month, day), '%Y-%m-%d') AS day "
        "FROM flights USING SAMPLE 1000 ROWS (reservoir, 7)"
    ).to_arrow_table()
    flight = house.domain.object_types["Flight"]
    keys = {parse_key(flight, [r["carrier"], str(r["flight"]), r["origin"], r["hour"]]): r for r in chosen.to_pylist()}
    known = house.heads.lookup("Flight", pa.array(list(keys)))
    states = house.log.states(known["position"])
    by_position = dict(zip(states["position"].to_pylist(), states["data"].to_pylist(), strict=True))
    assert known.num_rows == 1000
    for key, position in zip(known["id"].to_pylist(), known["position"].to_pylist(), strict=True):
        row = keys[key]
        hour = row["hour"].replace(":", "%3A")
        links = {
            "operated_by": row["carrier"],
            "departs_from": row["origin"],
            "arrives_at": row["dest"],
            "flown_by": row["tailnum"],
            "had_weather": f"{row['origin']}/{hour}",
        }
        properties = {
            **{
                n: row[n]
                for n in ("carrier", "flight", "origin", "dest", "tailnum", "distance", "dep_delay", "arr_delay")
            },
            "time_hour": row["hour"].replace("Z", ".000000Z"),
            "flight_date": row["day"],
            "designator": f"{row['carrier']} {row['flight']}",
        }
        assert json.loads(by_position[position])["state"] == {
            "links": {name: [target] for name, target in links.items() if target is not None},
            "properties": {name: value for name, value in properties.items() if value is not None},
        }


def test_links_are_counted_as_duckdb_counts_them(house):
    flight = house.domain.object_types["Flight"]
    partitions = sorted(house.lake.versions("clean/flights"))
    rows = link_rows(
        flight, house.domain.object_types, read_links(session(), house.lake, house.domain, flight, partitions)
    )
    report = check_links(flight, rows, partitions, house.heads)
    lost = {
        "flown_by": "tailnum IS NOT NULL AND tailnum NOT IN (SELECT tailnum FROM planes)",
        "arrives_at": "dest NOT IN (SELECT faa FROM airports)",
        "departs_from": "origin NOT IN (SELECT faa FROM airports)",
        "operated_by": "carrier NOT IN (SELECT carrier FROM airlines)",
        "had_weather": "(origin, time_hour) NOT IN (SELECT (origin, time_hour) FROM weather)",
    }
    for link, condition in lost.items():
        of_link = [one for one in report.counts if one.link == link]
        per_day = dict(
            house.source.sql(f"SELECT {DAYS}, count(*) FROM flights WHERE {condition} GROUP BY 1").fetchall()
        )
        assert {one.partition: one.dangling for one in of_link if one.dangling} == per_day
        none = _count(house, "SELECT count(*) FROM flights WHERE tailnum IS NULL") if link == "flown_by" else 0
        assert sum(one.none for one in of_link) == none
        assert all(one.total == one.none + one.resolved + one.dangling for one in of_link)
    assert report.dangling.num_rows == sum(one.dangling for one in report.counts)
    pairs = set(zip(report.dangling["link"].to_pylist(), report.dangling["to_id"].to_pylist(), strict=True))
    tails = {
        t for (t,) in house.source.sql(f"SELECT DISTINCT tailnum FROM flights WHERE {lost['flown_by']}").fetchall()
    }
    assert {to for link, to in pairs if link == "flown_by"} == tails


def test_an_envelope_carries_the_counts_of_its_partition(house):
    known = house.heads.asset_versions("ontology/flight/objects")
    per_day = dict(house.source.sql(f"SELECT {DAYS}, count(*) FROM flights GROUP BY 1").fetchall())
    assert {partition: rows_of(one)["created"] for partition, one in known.items()} == per_day
    assert details_of(known["2013-07-01"])["data_version"] == "1"


def test_running_again_appends_nothing(house):
    end = house.log.end()
    assert [house.objects(name, size=400) for name in ("Airline", "CarrierDay")] == [0, 0]
    assert house.log.end() == end


def test_a_new_version_with_the_same_rows_appends_its_envelope_only(house):
    day, before = "2013-03-03", house.log.end().position
    house.put_day(day, "same")
    assert house.objects("Flight", only=[day]) == 0
    assert house.log.end().position == before + 1
    rows = rows_of(house.heads.asset_versions("ontology/flight/objects")[day])
    assert rows["unchanged"] == _count(house, f"SELECT count(*) FROM flights WHERE {DAYS} = '{day}'")


def test_a_late_correction_is_three_events(house):
    day = "2013-07-01"
    rowids = [
        r
        for (r,) in house.source.sql(
            f"SELECT _row FROM flights WHERE {DAYS} = '{day}' ORDER BY _row LIMIT 3"
        ).fetchall()
    ]
    before = house.log.end().position
    house.source.execute(f"UPDATE flights SET dep_delay = coalesce(dep_delay, 0) + 777 WHERE _row = {rowids[0]}")
    house.source.execute(f"DELETE FROM flights WHERE _row = {rowids[1]}")
    house.source.execute(
        f"INSERT INTO flights SELECT * REPLACE (9999 AS flight, 999999 AS _row) FROM flights WHERE _row = {rowids[2]}"
    )
    house.put_day(day, "corrected")
    assert house.objects("Flight", only=[day]) == 3
    events = {event["event_type"]: event for event in house.since(before)}
    assert sorted(events) == ["ObjectCreated", "ObjectDeleted", "ObjectUpdated"]
    assert json.loads(events["ObjectUpdated"]["data"])["changed"] == ["dep_delay"]
    assert events["ObjectUpdated"]["sequence_number"] == events["ObjectDeleted"]["sequence_number"] == 2
    assert events["ObjectDeleted"]["data"] == '{"state":null}'
    assert "/9999/" in events["ObjectCreated"]["aggregate_id"]
    assert json.loads(events["ObjectCreated"]["metadata"])["line"] == 1_000_000
    assert house.objects("Flight", only=[day]) == 0


def test_a_quarantined_row_protects_its_object_and_an_unreadable_one_holds_all_deletions(house):
    day, dataset = "2013-05-05", "flights"
    gone = (
        house.source.sql(
            f"SELECT carrier, flight, origin, strftime(time_hour, '%Y-%m-%dT%H:%M:%SZ') AS time_hour, _row "
            f"FROM flights WHERE {DAYS} = '{day}' ORDER BY _row LIMIT 2"
        )
        .to_arrow_table()
        .to_pylist()
    )
    house.source.execute(f"DELETE FROM flights WHERE _row IN ({gone[0]['_row']}, {gone[1]['_row']})")
    raw = [{**{name: str(value) for name, value in gone[0].items()}, "dep_delay": "abc"}]

    def quarantine(rows: list[dict], version: str) -> None:
        table = pa.table(
            [
                pa.array([{"partition": day, "raw": json.dumps(row), "row": 1}.get(one.name) for row in rows], one.type)
                for one in QUARANTINE
            ],
            schema=QUARANTINE,
        )
        house.put(table_name(dataset, "clean"), with_partition(table), {day: version})

    quarantine([*raw, {**raw[0], "flight": "nine"}], "q1")
    house.put_day(day, "spoilt")
    assert house.objects("Flight", only=[day]) == 0
    rows = rows_of(house.heads.asset_versions("ontology/flight/objects")[day])
    assert (rows["deletions_held"], rows["quarantined"], rows["deleted"]) == (2, 2, 0)

    quarantine(raw, "q2")
    house.put_day(day, "readable")
    assert house.objects("Flight", only=[day]) == 1
    rows = rows_of(house.heads.asset_versions("ontology/flight/objects")[day])
    assert (rows["deletions_held"], rows["protected"], rows["deleted"]) == (0, 1, 1)
    quarantine([], "q3")


def test_the_quarantine_that_clean_writes_is_read(tmp_path, sample_files):
    """An unpartitioned file through raw and clean: one value spoilt, one row ragged, one row gone."""
    domain = load_domain(DOMAIN)
    small = House(tmp_path, domain, duckdb.connect())
    lines = next(sample_files.glob("planes.csv")).read_text().splitlines()[:6]
    columns = lines[0].split(",")
    types = dict.fromkeys(columns, "string?") | {"tailnum": "string", "year": "integer?", "seats": "integer"}

    def run(version: str, rows: list[str]) -> dict[str, int]:
        folder = tmp_path / "sources" / version
        folder.mkdir(parents=True)
        (folder / "planes.csv").write_text("\n".join([lines[0], *rows]) + "\n")
        source = find_source(tmp_path / "sources", version, "planes.csv")
        ingest("planes", domain.datasets["planes"], source, small.lake, [""], engine=session)
        clean("planes", domain.datasets["planes"], types, small.lake, [""], engine=session)
        small.objects("Plane")
        counts = rows_of(small.heads.asset_versions("ontology/plane/objects")[""])
        return {name: count for name, count in counts.items() if count}

    first, second, third, fourth, fifth = lines[1:]
    spoilt = ",".join("abc" if name == "seats" else text for name, text in zip(columns, first.split(","), strict=True))
    assert run("one", [first, second, third, fourth, fifth]) == {"created": 5}
    assert run("two", [spoilt, second, third, "N1,too,short"]) == {
        "unchanged": 2,
        "deletions_held": 3,
        "quarantined": 2,
    }
    assert run("three", [spoilt, second, third]) == {"unchanged": 2, "deleted": 2, "protected": 1, "quarantined": 1}
    assert run("four", [first, second, third, fourth]) == {"created": 1, "unchanged": 3}


def test_a_row_that_moves_to_a_day_of_another_chunk_changes_its_owner(house):
    first, then, before = "2013-04-01", "2013-10-01", house.log.end().position
    row = _count(house, f"SELECT min(_row) FROM flights WHERE {DAYS} = '{first}'")
    house.source.execute(f"UPDATE flights SET month = 10 WHERE _row = {row}")
    house.put_day(first, "moved")
    house.put_day(then, "moved")
    assert house.objects("Flight", only=[first, then], size=1) == 1
    (event,) = house.since(before)
    assert event["event_type"] == "ObjectUpdated"
    assert event["owner"] == "ontology/flight/objects@2013-10-01"
    assert json.loads(event["data"])["changed"] == ["flight_date"]


def test_a_mapping_is_refused_before_anything_is_read(house):
    flight = house.domain.object_types["Flight"]
    columns = {"carrier": "string", "flight": "integer"}
    with pytest.raises(MappingRefused, match=r"no column 'origin'.*Allowed: carrier, flight"):
        compile_mapping(house.domain, flight, columns)
    plane = house.domain.object_types["Plane"]
    wanted = {"tailnum": "string", "year": "double", "manufacturer": "string", "model": "string", "seats": "integer"}
    with pytest.raises(MappingRefused, match="digits after the point would be lost"):
        compile_mapping(house.domain, plane, wanted)
    mappings = {**house.domain.mappings, "Plane": replace_set(house.domain, "Plane", {"year": "yeer + 1"})}
    with pytest.raises(ExpressionError, match="yeer"):
        compile_mapping(house.domain.model_copy(update={"mappings": mappings}), plane, {**wanted, "year": "integer"})


def replace_set(domain: Domain, type_name: str, expressions: dict[str, str]):
    return domain.mappings[type_name].model_copy(update={"set": expressions})
