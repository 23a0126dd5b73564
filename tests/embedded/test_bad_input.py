"""Bad files, definitions and questions, each as a user meets it: the message says where and what is allowed, the exit
status is not 0, and nothing half-written remains."""

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.readers import open_readers
from ontology_assets.model.loading import load_domain
from resources.home import Home
from resources.lake.local import LocalLake
from tests.bakery import BAKERY, NAME, Workshop, workshop
from tests.conftest import Spice, project_with
from tests.prepared import CommandLine

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
    """A domain with a dataset for every fault, all of the same three columns, and things made of some of them."""
    lines = ["spice: 1", "domain: shelf", "datasets:"]
    suffixes = {name: fault.suffix for name, fault in FAULTS.items()} | dict.fromkeys(ROW_FAULTS, ".csv")
    lines += [f"  {name}: {{file: {name}{suffix}}}" for name, suffix in suffixes.items()]
    lines += ["object_types:"]
    properties = "{city: {type: string}, street: {type: string}, name: {type: string}}"
    titles = {name: name.title().replace("_", "") for name in ("unknown_file", "changed_header", *ROW_FAULTS)}
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
        if not table.startswith("events/") and table.split("/")[1] not in ROW_FAULTS
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
    known, new = ({table: held["tables"].get(table) for table in of_raw} for held in (shelves.before, shelves.after))
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


EDITS: dict[str, tuple[str, str, str]] = {
    "misspelt field": (
        "    title: receipt\n",
        "    tilte: receipt\n",
        r":26:5: object_types\.Sale\.tilte: there is no field 'tilte' here.* 'title'\? Allowed: key, title,",
    ),
    "unknown type in a link": (
        "        to: Shop\n        by: [city, street]\n        inverse: sales",
        "        to: Shoop\n        by: [city, street]\n        inverse: sales",
        r":39:13: object_types\.Sale\.links\.sold_in\.to: .*'Shoop'.* Allowed: Sale, Shop, ShopMonth",
    ),
    "unknown column in an expression": (
        "cast(quantity * unit_price",
        "cast(quantty * unit_price",
        r":79:25: mappings\.Sale\.set\.amount: .*'quantty'.* at column 6.* Allowed: receipt, line, product",
    ),
    "a function that reaches out": (
        "product IN ('bread', 'cake')",
        "reflect('java.lang.Runtime', 'getRuntime') IS NULL",
        r":88:23: pipelines\.shop_months\.nodes\.sold\.filter: .*'reflect'.* Allowed: abs, .*year",
    ),
    "a query in an expression": (
        "product IN ('bread', 'cake')",
        "quantity > (SELECT max(quantity) FROM sales)",
        r":88:42: pipelines\.shop_months\.nodes\.sold\.filter: a query inside an expression is not allowed",
    ),
    "a second statement in an expression": (
        "product IN ('bread', 'cake')",
        "product IN ('bread') ; DROP TABLE sales",
        r":88:\d+: pipelines\.shop_months\.nodes\.sold\.filter: ';' is not allowed",
    ),
    "a key that is there twice": (
        "    file: shops.csv\n",
        "    file: shops.csv\n    file: shop.csv\n",
        r":21:5: datasets\.shops\.file: the key 'file' is there twice \(first in line 20\)",
    ),
    "an anchor": ("label: {en: Bakery", "label: &names {en: Bakery", r":4:8: the anchor '&names' is not allowed"),
    "a tag": ("timezone: Europe", "timezone: !!python/name:os.system Europe", r":6:11: the tag '.*' is not allowed"),
    "no YAML": ("timezone: Europe/Paris", "timezone: [Europe/Paris", r":7:\d+: not valid YAML: "),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return workshop(tmp_path_factory.mktemp("bakery"), rules=False)


@pytest.fixture(scope="module")
def bakery(shop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Spice:
    spice = shop.spice(tmp_path_factory.mktemp("home"))
    spice.run("run")
    return spice


@pytest.fixture(scope="module")
def line(bakery: Spice) -> Iterator[CommandLine]:
    line = CommandLine(bakery.project, bakery.home)
    yield line
    line.close()


@pytest.mark.parametrize("name", EDITS)
def test_a_faulty_definition_is_named_with_file_line_field_and_what_is_allowed(
    line: CommandLine, tmp_path: Path, name: str
) -> None:
    before, after, said = EDITS[name]
    text = (BAKERY / "domain.yaml").read_text()
    assert before in text
    shutil.copytree(BAKERY, tmp_path / NAME)
    (tmp_path / NAME / "domain.yaml").write_text(text.replace(before, after, 1))
    told = line.call("defs", "check", str(tmp_path / NAME))
    assert told.status == 2
    assert re.search(re.escape(str(tmp_path / NAME / "domain.yaml")) + said, told.err), told.err


def test_a_broken_definition_is_named_by_dagster_and_by_every_command_and_nothing_runs(
    shop: Workshop, bakery: Spice, tmp_path: Path
) -> None:
    before, after, said = EDITS["misspelt field"]
    broken = workshop(tmp_path / "project", rules=True)
    file = broken.folder / "domain.yaml"
    file.write_text(file.read_text().replace(before, after))
    loaded = subprocess.run(
        [sys.executable, "-c", "import orchestration.definitions"],
        cwd=broken.project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode != 0
    assert re.search(r"domain\.yaml" + said, loaded.stderr.splitlines()[-1]) or re.search(said, loaded.stderr)
    position = shop.readers(bakery.home).log(NAME).end().position
    for command in (["run"], ["objects", "count"], ["events", "stats"]):
        done = Spice(bakery.home, broken.project).run(*command, check=False)
        assert done.returncode == 2, done.stderr
        assert re.search(r"domain\.yaml" + said, done.stderr), done.stderr
        assert "Traceback" not in done.stderr
    assert shop.readers(bakery.home).log(NAME).end().position == position


def graph(*hops: dict[str, Any], **more: Any) -> str:
    return json.dumps({"start": {"type": "Sale"}, "hops": list(hops), **more})


SALES = ("search", "", "--type", "Sale")
QUESTIONS: dict[str, tuple[tuple[str, ...], str, str, str | None]] = {
    # arguments, stdin, where, one of what is allowed
    "unknown type": (("search", "", "--type", "Sail"), "", "type", "Sale"),
    "unknown property": ((*SALES, "--where", "colour = red"), "", "where[0][0]", "quantity"),
    "unknown operator": ((*SALES, "--where", "quantity ~ 3"), "", "where[0]", None),
    "wrong type of value": ((*SALES, "--where", "quantity > three"), "", "where[0][2]", "a whole number of 64 bits"),
    "no such code": ((*SALES, "--where", "product = pie"), "", "where[0][2]", "bread"),
    "no such date": ((*SALES, "--where", "sold_on > 2024-02-30"), "", "where[0][2]", None),
    "not on earth": (("search", "", "--type", "Shop", "--where", "place within 95 2 1"), "", "where[0][2].lat", None),
    "huge limit": ((*SALES, "--limit", "1000000"), "", "limit", "1 to 1000"),
    "negative limit": ((*SALES, "--limit", "-1"), "", "limit", "1 to 1000"),
    "forged page token": ((*SALES, "--after", "eyJhIjoxfQ=="), "", "after", None),
    "unknown property to sort by": ((*SALES, "--sort", "colour"), "", "sort[0][0]", "quantity"),
    "properties without a type": (("search", "", "--where", "quantity > 3"), "", "--type", None),
    "far too many words": (("search", "a" * 5000), "", "text", "up to 1000 characters"),
    "key with a missing part": (("objects", "get", "Sale", "R0001"), "", "Sale", "receipt (text)"),
    "key with a part too many": (("objects", "get", "Sale", "R0001", "1", "2"), "", "Sale", "receipt (text)"),
    "key of a wrong type": (("objects", "get", "Sale", "R0001", "one"), "", "Sale.line", "a whole number like 709"),
    "history of a wrong key": (("objects", "history", "Sale", "R0001"), "", "Sale", "receipt (text)"),
    "no such object": (("objects", "get", "Sale", "R9999", "1"), "", "Sale/R9999/1", None),
    "graph that is no JSON": (("graph", "-"), "{", "-", None),
    "graph that is no object": (("graph", "-"), "[]", "document", "start"),
    "graph without a start": (("graph", "-"), '{"hops": []}', "document", "start"),
    "graph of 50 hops": (
        ("graph", "-"),
        graph(*[{"link": "sold_in"}, {"link": "sales"}] * 25),
        "hops",
        "up to 8 entries",
    ),
    "graph along an unknown link": (("graph", "-"), graph({"link": "bought_in"}), "hops[0].link", "sold_in"),
    "graph with a misspelt member": (("graph", "-"), graph({"lnk": "sold_in"}), "hops[0].lnk", "link"),
    "graph with a filter on nothing": (
        ("graph", "-"),
        graph({"link": "sold_in", "where": [["colour", "=", "red"]]}),
        "hops[0].where[0][0]",
        "name",
    ),
    "graph of everything": (("graph", "-"), graph(max_nodes=10**9), "max_nodes", "1 to 50000"),
    "unknown domain": (("events", "stats", "--domain", "backery"), "", "--domain", "bakery"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_bad_question_is_refused_with_its_place_and_what_is_allowed(line: CommandLine, name: str) -> None:
    arguments, given, where, allowed = QUESTIONS[name]
    told = line.call(*arguments, "--json", stdin=given)
    assert told.status == 2
    assert told.out == ""
    problem = json.loads(told.err)
    assert problem["where"] == where
    assert 400 <= problem["status"] < 500
    assert problem["detail"]
    assert allowed is None or allowed in problem["allowed"]
    plain = line.call(*arguments, stdin=given)
    assert (plain.status, plain.out) == (2, "")
    assert plain.err.startswith(f"error: {where}: ")


def test_a_page_token_of_another_question_is_refused(line: CommandLine) -> None:
    page = json.loads(line.call(*SALES, "--limit", "5", "--json").out)
    told = line.call(*SALES, "--where", "quantity > 3", "--limit", "5", "--after", page["after"], "--json")
    assert told.status == 2
    assert json.loads(told.err)["where"] == "after"


@pytest.mark.parametrize(
    ("asked", "said"), [("2030-01-01", "2024-01-01 .. 2024-03-01"), ("2024-03-01..2024-01-01", "")]
)
def test_a_partition_that_is_none_is_refused_before_a_run_begins(bakery: Spice, asked: str, said: str) -> None:
    done = bakery.run("run", "--partitions", asked, "--json", check=False)
    assert done.returncode == 2
    problem = json.loads(done.stderr.splitlines()[-1])
    assert said in " ".join(problem.get("allowed", [""]))
    assert "Traceback" not in done.stderr


def test_a_bad_file_of_a_first_run_is_named_before_types_are_inferred(shop: Workshop, tmp_path: Path) -> None:
    project = workshop(tmp_path / "project", rules=False)
    (project.folder / "types.lock").unlink()
    spice = project.spice(tmp_path / "home")
    sales = spice.home / "sources" / NAME / "sales.csv"
    good = sales.read_text()
    sales.write_text(good.replace("receipt,line", "receipt,receipt"))
    done = spice.run("run", check=False)
    assert done.returncode == 2
    assert f"{sales}:1: Duplicate column" in done.stderr
    assert not (project.folder / "types.lock").exists()
    assert not (spice.home / "lake").exists()
    sales.write_text(good)
    assert spice.json("run")["by_type"]["ObjectCreated"] == 69
