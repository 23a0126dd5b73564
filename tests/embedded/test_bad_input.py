"""Bad files, definitions and questions, each as a user meets it: the message says where and what is allowed, the exit
status is not 0, and nothing half-written remains."""

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.readers import open_readers
from ontology_assets.model.loading import load_domain
from resources.home import Home
from resources.lake.local import LocalLake
from tests.bakery import BAKERY, NAME, CommandLine, Workshop, workshop
from tests.conftest import Spice, project_with

HEADER, ROWS = "city,street,name", ["Lyon,Quai,Le Fournil", "Paris,Rue,Bara", "Nantes,Place,Chez Anaïs"]
GOOD = "\n".join([HEADER, *ROWS]) + "\n"


def zipped(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.csv", text)
    return packed.getvalue()


@dataclass(frozen=True)
class Fault:
    """A dataset whose file is spoilt: its bytes (None: no file) and what the message says after the file's name."""

    data: bytes | None
    said: str
    suffix: str = ".csv"


FAULTS = {
    "unknown_file": Fault(None, r": Source file missing: .* Allowed: .*two_members\.zip"),
    "truncated_zip": Fault(zipped(shop=GOOD * 50)[:-40], r": Damaged zip: .* copy it again", ".zip"),
    "two_members": Fault(zipped(shop=GOOD, more=GOOD), r": Not one file in the zip: .* Allowed: shop\.csv", ".zip"),
    "duplicate_header": Fault(b"city,city,name\na,b,c\n", r":1: Duplicate column: the header has 'city' twice"),
    "case_equal_header": Fault(b"city,City,name\na,b,c\n", r":1: Duplicate column: .*'city' and as 'City'"),
    "empty_header_name": Fault(b"city,,name\na,b,c\n", r":1: Empty column name: column 2"),
    "changed_header": Fault(
        b"city,street,title\na,b,c\n", r"no type is known for title.* Allowed: city, street, title"
    ),
    "empty_file": Fault(b"", r": Empty file: .* header line"),
    "not_utf8": Fault(GOOD.encode("latin-1"), r":4: .*UTF-8"),
    "nul_byte": Fault(GOOD.replace("Bara", "Ba\0ra").encode(), r":3: .*NUL"),
    "cr_line_ends": Fault(GOOD.replace("\n", "\r").encode(), r":1: .*line"),
    "unclosed_quote": Fault(GOOD.replace("Bara", '"Bara').encode(), r":3: .*quote"),
}
"""Faults of a whole file. Rows that do not fit are another thing: they go to quarantine."""
ROW_FAULTS = {
    "ragged": (GOOD.replace("Paris,Rue,Bara", "Paris,Rue"), 3, None, "Paris,Rue"),
    "wrong_type": (GOOD.replace("Paris,Rue,Bara", "Paris,Rue,"), 3, "name", ""),
}


def shelf(folder: Path) -> Path:
    """A domain with a dataset and an object type for every fault, all of the same three columns."""
    lines = ["spice: 1", "domain: shelf", "datasets:"]
    suffixes = {name: fault.suffix for name, fault in FAULTS.items()} | dict.fromkeys(ROW_FAULTS, ".csv")
    lines += [f"  {name}: {{file: {name}{suffix}}}" for name, suffix in suffixes.items()]
    lines += ["object_types:"]
    properties = "{city: {type: string}, street: {type: string}, name: {type: string}}"
    titles = {name: name.title().replace("_", "") for name in suffixes}
    lines += [f"  {one}: {{key: [city, street], title: name, properties: {properties}}}" for one in titles.values()]
    lines += ["mappings:", *(f"  {title}: {{from: clean/{name}}}" for name, title in titles.items())]
    folder.mkdir()
    (folder / "domain.yaml").write_text("\n".join(lines) + "\n")
    locked = "".join(f"  {name}: {{city: string, street: string, name: string}}\n" for name in suffixes)
    (folder / "types.lock").write_text(f"spice: 1\ndatasets:\n{locked}")
    return folder


def put_good_files(home: Path) -> None:
    folder = home / "sources" / "shelf"
    folder.mkdir(parents=True, exist_ok=True)
    for name in [*FAULTS, *ROW_FAULTS]:
        if name in FAULTS and FAULTS[name].suffix == ".zip":
            (folder / f"{name}.zip").write_bytes(zipped(shop=GOOD))
        else:
            (folder / f"{name}.csv").write_text(GOOD)


def holding(spice: Spice) -> dict[str, Any]:
    """What must not move when nothing good comes in."""
    domain = load_domain(spice.project / "orchestration" / "defs" / "shelf")
    readers, lake = open_readers(Home(spice.home), [domain]), LocalLake(spice.home / "lake")
    tables = {
        table: dict(lake.versions(table))
        for table in lake.tables()
        if not table.startswith("events/") and not table.split("/")[1] in ROW_FAULTS
    }
    return {"position": readers.log("shelf").end().position, "tables": tables, "counts": readers.queries.counts()}


@dataclass(frozen=True)
class Shelf:
    """A home after a good run, a run with every file spoilt, and one with all of them mended."""

    spice: Spice
    before: dict[str, Any]
    after: dict[str, Any]
    spoilt: subprocess.CompletedProcess[str]
    quarantined: dict[str, list[dict[str, Any]]]
    mended: dict[str, Any]
    at_the_end: dict[str, Any]


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    definitions = shelf(tmp_path_factory.mktemp("definitions") / "shelf")
    project = project_with(tmp_path_factory.mktemp("project"), definitions)
    shutil.rmtree(next((project / "orchestration" / "defs").glob("nyc_*")))
    spice = Spice(tmp_path_factory.mktemp("home"), project)
    put_good_files(spice.home)
    spice.run("run")
    before, folder = holding(spice), spice.home / "sources" / "shelf"
    for name, fault in FAULTS.items():
        file = folder / f"{name}{fault.suffix}"
        file.unlink()
        if fault.data is not None:
            file.write_bytes(fault.data)
    for name, (text, *_) in ROW_FAULTS.items():
        (folder / f"{name}.csv").write_text(text)
    spoilt = spice.run("run", check=False)
    after, lake = holding(spice), LocalLake(spice.home / "lake")
    quarantined = {
        name: [row for stage in ("raw", "clean") for row in lake.scan(f"quarantine/{name}/{stage}").to_pylist()]
        for name in ROW_FAULTS
    }
    put_good_files(spice.home)
    mended = spice.json("run")
    return Shelf(spice, before, after, spoilt, quarantined, mended, holding(spice))


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_file_is_named_with_what_is_wrong(shelves: Shelf, name: str) -> None:
    (line,) = [line for line in shelves.spoilt.stderr.splitlines() if f"__{name}: " in line]
    fault = FAULTS[name]
    place = "" if name == "changed_header" else re.escape(f"/sources/shelf/{name}{fault.suffix}")
    assert re.search(place + fault.said, line), line
    assert "Traceback" not in line
    assert "resources." not in line


def test_nothing_half_written_remains_of_bad_files(shelves: Shelf) -> None:
    assert shelves.spoilt.returncode == 1
    # Raw keeps what came, so a changed header is a new version of raw, and of nothing else.
    of_raw = ("raw/changed_header", "quarantine/changed_header/raw")
    known, new = (
        {table: held["tables"].get(table) for table in of_raw} for held in (shelves.before, shelves.after)
    )
    assert known != new
    after = {**shelves.after["tables"], **known}
    assert after == shelves.before["tables"]
    assert shelves.after["counts"] == shelves.before["counts"]


@pytest.mark.parametrize("name", ROW_FAULTS)
def test_a_bad_row_is_quarantined_with_its_place_and_its_object_stays(shelves: Shelf, name: str) -> None:
    _, line, column, value = ROW_FAULTS[name]
    (row,) = shelves.quarantined[name]
    assert (row["source_file"], row["line"], row["column"]) == (f"{name}.csv", line, column)
    assert row["value"] == value
    assert row["reason"]
    assert shelves.after["counts"][name.title().replace("_", "")] == 3


def test_mended_files_run_and_bring_no_new_event_of_an_object(shelves: Shelf) -> None:
    assert not [kind for kind in shelves.mended["by_type"] if kind.startswith(("ObjectC", "ObjectU", "ObjectD"))]
    assert shelves.at_the_end["counts"] == shelves.before["counts"]
    assert shelves.spice.run("events", "verify").returncode == 0
