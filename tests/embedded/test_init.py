"""`spice init` as a user calls it: files become a domain that runs at once; nothing that is there is overwritten."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Spice
from tests.newcomer import newcomer
from tests.unit.drafting.test_draft import BOOKS, LOANS

ODD = {
    "Order Lines (2024).csv": [
        ["Order ID", "이름", "a.b", "a b", "2019", "select", "x, (y) = {z}; 'q' \"w\" $1 -- %", "back\\slash", "Größe"],
        ["1", "홍길동", "1.5", "x", "NA", "true", "z", "b\\", "a\nb"],
        ["2", "김 영희", "-2", "y", "7", "false", "", "c", '"q"'],
    ],
    "주문.csv": [["번호", "type", "id", "position", "links"], ["007", "t", "9", "p", "l"], ["A-1", "t", "8", "q", "l"]],
    "null.csv": [["null", "true"], ["n1", "t1"], ["n2", "t2"]],
    "measures.csv": [["a", "b"], ["1", "x"], ["1", "x"], ["2", "y"]],
}


PEAK = """
import resource, sys
from gateway.cli import main
try:
    main.main()
finally:
    sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""
"""The command line, and then its peak memory in KiB."""


def written(folder: Path, files: dict[str, list[list[str]]]) -> list[str]:
    folder.mkdir()
    for name, rows in files.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    return [str(folder / name) for name in files]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "books.csv").write_text(BOOKS)
    (folder / "loans.csv").write_text(LOANS)
    return [str(folder / "books.csv"), str(folder / "loans.csv")]


@pytest.fixture(scope="module")
def spice(tmp_path_factory: pytest.TempPathFactory) -> Spice:
    return newcomer(tmp_path_factory.mktemp("newcomer"))


@pytest.fixture(scope="module")
def library(spice: Spice, files: list[str]) -> Spice:
    told = spice.run("init", "library", *files)
    assert "Book  isbn     title       4  books.csv" in told.stdout
    assert "Loan.book  Book  3 of 3 values" in told.stdout
    assert told.stdout.index("spice defs check") < told.stdout.index("spice run --domain library")
    assert "library: 2 datasets, 0 pipelines, 2 object types" in spice.run("defs", "check").stdout
    spice.run("run", "--domain", "library")
    return spice


def defs(spice: Spice, name: str) -> Path:
    return spice.project / "orchestration" / "defs" / name


def test_what_was_drafted_runs_and_answers(library: Spice) -> None:
    assert library.json("objects", "count") == {"Book": 4, "Loan": 4}
    assert library.json("objects", "get", "Loan", "3")["links"] == {"book": ["978-0"]}
    assert [one["id"] for one in library.json("search", "austen")["objects"]] == ["978-0", "978-1"]
    question = {"start": {"type": "Book", "id": "978-0"}, "hops": [{"link": "loans", "fields": ["member"]}]}
    answer = library.json("graph", "-", stdin=json.dumps(question))
    assert {node["properties"]["member"] for node in answer["nodes"] if node["type"] == "Loan"} == {"Mina", "Sora"}
    assert "pages" not in library.json("objects", "get", "Book", "978-2")["properties"]
    assert contents(library.home / "sources" / "library").keys() == {"books.csv", "loans.csv"}


def test_a_second_init_changes_nothing_and_says_what_to_do(library: Spice, files: list[str]) -> None:
    before = contents(defs(library, "library"))
    again = library.run("init", "library", *files, check=False)
    assert again.returncode == 2
    assert again.stderr.startswith("error: orchestration/defs/library: Domain exists: nothing was changed. Edit ")
    assert contents(defs(library, "library")) == before


def test_a_dry_run_prints_the_same_and_writes_nothing(library: Spice, files: list[str]) -> None:
    before = contents(library.project / "orchestration")
    printed = library.run("init", "library", *files, "--dry-run").stdout
    for name, content in contents(defs(library, "library")).items():
        assert f"# ---- library/{name}\n{content.decode()}" in printed
    assert contents(library.project / "orchestration") == before


def test_a_file_of_another_content_in_the_sources_stays(library: Spice, files: list[str], tmp_path: Path) -> None:
    there = library.home / "sources" / "second" / "books.csv"
    there.parent.mkdir()
    there.write_text("mine\n1\n")
    refused = library.run("init", "second", *files, check=False)
    assert refused.returncode == 2
    assert f"{there}: File exists: another file of this name" in refused.stderr
    assert there.read_text() == "mine\n1\n"
    assert not defs(library, "second").exists()
    assert contents(there.parent).keys() == {"books.csv"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Library", "books.csv"], "NAME: Not a name for a domain: 'Library' can't be one; write for example library."),
        (["my-shop", "books.csv"], "write for example my_shop. Allowed: lower-case letters, digits and _"),
        (["housekeeping", "books.csv"], "NAME: Name taken: a job of ours is called 'housekeeping'"),
        (["nyc_flights", "books.csv"], "orchestration/defs/nyc_flights: Domain exists: nothing was changed."),
        (["third", "bokks.csv"], "bokks.csv: Source file missing: there is no such file. Allowed: "),
        (["third", "."], "Source file missing: it is a folder; name the files in it. Allowed: "),
        (["third", "books.csv", "books.csv"], "books.csv: File named twice: name each file once."),
        (["third", "sheet.xlsx"], "sheet.xlsx: Not a CSV file: it is a spreadsheet; save the sheet as CSV"),
        (["third", "empty.csv"], "empty.csv: Empty file: "),
        (["third", "twice.csv"], "twice.csv:1: Duplicate column: the header has 'a' twice"),
        (["third", "latin.csv"], "latin.csv:3: Not UTF-8: "),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_before_anything_is_written(
    library: Spice, files: list[str], arguments: list[str], said: str
) -> None:
    folder = Path(files[0]).parent
    (folder / "empty.csv").write_text("")
    (folder / "sheet.xlsx").write_bytes(b"PK\3\4")
    (folder / "twice.csv").write_text("a,a\n1,2\n")
    (folder / "latin.csv").write_bytes("a,b\n1,2\n3,é\n".encode("latin-1"))
    before = contents(library.project / "orchestration")
    name, *given = arguments
    refused = library.run("init", name, *(str(folder / one) for one in given), check=False)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert contents(library.project / "orchestration") == before
    assert not (library.home / "sources" / "third").exists()


def test_a_domain_is_checked_by_its_name(library: Spice) -> None:
    assert library.run("defs", "check", "library").stdout == "library: 2 datasets, 0 pipelines, 2 object types\n"


def test_a_problem_is_one_document(library: Spice) -> None:
    refused = library.run("init", "third", "/none.csv", "--json", check=False)
    assert json.loads(refused.stderr)["title"] == "Source file missing"


def test_columns_and_files_of_any_name_run(tmp_path: Path) -> None:
    spice = newcomer(tmp_path, domains=False)
    told = spice.run("init", "odd", *written(tmp_path / "files", ODD))
    assert "measures.csv: no column, and no pair of columns, tells its rows apart." in told.stderr
    spice.run("run")
    assert spice.json("objects", "count") == {"Jumun": 2, "Null": 2, "OrderLine2024": 2}
    first, second = (spice.json("objects", "get", "OrderLine2024", key)["properties"] for key in ("1", "2"))
    assert first == {
        "order_id": 1, "ireum": "홍길동", "a_b": 1.5, "a_b_2": "x", "select": True, "x_y_z_q_w_1_percent": "z",
        "back_slash": "b\\", "grosse": "a\nb",
    }  # fmt: skip
    assert second["n_2019"] == 7
    assert "x_y_z_q_w_1_percent" not in second
    korean = spice.json("objects", "get", "Jumun", "007")
    assert korean["properties"] == {"beonho": "007", "type": "t", "id": 9, "position": "p", "links": "l"}
    assert spice.json("objects", "get", "Null", "n1")["properties"] == {"null": "n1", "true": "t1"}
    assert [one["title"] for one in spice.json("search", "영희")["objects"]] == ["김 영희"]
    assert spice.run("defs", "check").stdout.startswith("odd: 4 datasets, 0 pipelines, 3 object types")


def test_the_memory_for_a_large_file_is_bounded(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"things_{rows}.csv"
        with path.open("w") as file:
            file.write("id,name,price,shop\n")
            file.writelines(f"{i},A thing of the number {i},{i % 997}.5,{i % 31}\n" for i in range(rows))
        spice = Spice(tmp_path / "home")
        done = subprocess.run(
            [sys.executable, "-c", PEAK, "init", "big", str(path), "--dry-run"],
            cwd=spice.project, env={**os.environ, "SPICE_HOME": str(spice.home)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert f"in each of the {rows:,} rows" in done.stdout
        return int(done.stderr) // 1024

    small, large = peak(250_000), peak(2_000_000)  # 10 and 90 MB
    assert large - small < 150, f"{small} MB for 10 MB of file, {large} MB for 90"
