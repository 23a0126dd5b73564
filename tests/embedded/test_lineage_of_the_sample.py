"""Lineage of the sample's domain by perturbation, over two days of it: some columns of each kind (key, partition,
filter, join, pivot, plain value) are changed, and exactly what lineage names differs.
"""

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ontology_assets.lineage.build import column_graph
from ontology_assets.lineage.graph import Column
from orchestration.components.domain import declared_domains
from tests.conftest import DATASETS
from tests.perturbed import Bench, Change, Rows, faults, read_file, to, without_rules

NAME = "nyc_flights"
DAYS = ("1", "2")
FEW = 3
ORIGINS = {"EWR": "JFK", "JFK": "LGA", "LGA": "EWR"}


CARRIERS = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV")


def next_carrier(text: str) -> str:
    return CARRIERS[(CARRIERS.index(text) + 1) % len(CARRIERS)]


def present(column: str, value: Callable[[str], str]) -> Change:
    return to(column, value, absent=("NA",))


def hour_later(text: str) -> str:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")) + timedelta(days=400)
    return moment.isoformat().replace("+00:00", "Z")


CHANGES: Mapping[tuple[str, str], list[Change]] = {
    ("flights", "dep_delay"): [
        present("dep_delay", lambda text: str(int(text) * 31 % 97)),
        to("dep_delay", lambda _: "NA"),
    ],
    ("flights", "day"): [to("day", lambda _: "2"), to("day", lambda _: "3")],
    ("flights", "origin"): [to("origin", ORIGINS.__getitem__)],
    ("flights", "carrier"): [to("carrier", next_carrier)],
    ("flights", "tailnum"): [present("tailnum", lambda text: f"{text}X")],
    ("airlines", "name"): [to("name", lambda text: f"{text} Ltd.")],
    ("weather", "time_hour"): [to("time_hour", hour_later)],
}


def not_in_these_files(column: Column, rows: Column) -> bool:
    """A carrier has one name: the join adds no row, its name makes no other group. Who flies from one airport flies on
    that day from some airport, whichever it is."""
    of_days = "carrier_day" in rows.table or rows.scope == "CarrierDay" or rows.table == "transform/daily_punctuality"
    return of_days and column.id in ("file/airlines#name", "file/flights#origin")


def of_two_days(rows: Rows) -> Rows:
    return [row for row in rows if row["month"] == "1" and row["day"] in DAYS]


def some_of(rows: Rows) -> Rows:
    """Of each carrier, day and origin a few, and those that never left."""
    seen: Counter[tuple[str, ...]] = Counter()
    kept = []
    for row in rows:
        group = (row["carrier"], row["day"], row["origin"], str(row["dep_time"] == "NA"))
        seen[group] += 1
        if seen[group] <= FEW:
            kept.append(row)
    return kept


@pytest.fixture(scope="module")
def bench(sample_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    domain = without_rules(next(one for one in declared_domains() if one.name == NAME))
    datasets = {
        name: one.model_copy(update={"file": one.file.removesuffix(".zip")}) for name, one in domain.datasets.items()
    }
    files = {name: read_file(sample_files / f"{name}.csv") for name in DATASETS if name != "flights"}
    with zipfile.ZipFile(sample_files / "flights.csv.zip") as archive:
        flights = csv.DictReader(io.TextIOWrapper(archive.open("flights.csv"), encoding="utf-8"))
        files["flights"] = some_of(of_two_days(list(flights)))
    files["weather"] = of_two_days(files["weather"])
    for dataset, key, columns in (("airports", "faa", ("origin", "dest")), ("planes", "tailnum", ("tailnum",))):
        used = {row[column] for row in files["flights"] for column in columns}
        files[dataset] = [row for row in files[dataset] if row[key] in used - {"LGA"}]  # so that links dangle
    folder = tmp_path_factory.mktemp("sample")
    return Bench(domain.model_copy(update={"datasets": datasets}), files, folder, "2013-01-01..2013-01-02")


def test_exactly_what_lineage_names_differs(bench: Bench) -> None:
    tried = bench.try_out(CHANGES, bench.observe(bench.files))
    assert faults(column_graph(bench.domain), tried, excused=not_in_these_files) == []
