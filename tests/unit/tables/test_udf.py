"""Functions in Python: what they give is checked, and whatever they do ends as a clear error with its place."""

import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ontology_assets.model.loading import load_domain
from resources.lake.local import LocalLake
from resources.spark import session
from transforms.definitions import Pipeline
from transforms.pipeline import code_version, run_pipeline
from transforms.udf_calls import BATCH_ROWS, UdfError, call_udf
from transforms.udf_code import UdfCode
from transforms.udf_lock import lock, main
from transforms.yaml_source import DefinitionError

DOUBLED = """\
import pyarrow as pa
import pyarrow.compute as pc

def transform(batch):
    return pa.record_batch({"twice": pc.multiply(batch["n"], 2)})
"""


def udf(code: str, **fields: Any) -> UdfCode:
    told = {"takes": {"n": "integer?"}, "gives": {"twice": "integer?"}, "seconds": 5.0, "memory": 256, "version": 3}
    return UdfCode(**{"name": "double_it", "file": "shop/udfs/double_it.py", "code": code, **told, **fields})


def call(code: str, numbers: Any = (1, None, 3), **fields: Any) -> pa.Table:
    rows = pa.table({"n": pa.array(numbers, pa.int64())})
    return call_udf(udf(code, **fields), rows, where="pipelines.p.nodes.doubled")


def failure(code: str, numbers: Any = (1, None, 3), **fields: Any) -> UdfError:
    with pytest.raises(UdfError) as caught:
        call(code, numbers, **fields)
    assert caught.value.where == "pipelines.p.nodes.doubled"
    assert "double_it version 3" in caught.value.detail
    return caught.value


def returning(column: str, name: str = "twice") -> str:
    return f"import pyarrow as pa\ndef transform(batch):\n    return pa.record_batch({{{name!r}: {column}}})\n"


def test_the_columns_that_it_gives_come_back_row_by_row():
    assert call(DOUBLED)["twice"].to_pylist() == [2, None, 6]


def test_many_rows_go_through_in_batches():
    code = DOUBLED.replace("    return", f"    assert batch.num_rows <= {BATCH_ROWS}\n    return")
    count = 2 * BATCH_ROWS + 5
    assert call(code, range(count))["twice"].to_pylist() == [2 * n for n in range(count)]


def test_no_row_is_no_call():
    assert call("raise Exception('never called')", []).num_rows == 0


def test_every_type_goes_in_and_out():
    kinds = {
        "s": "string?",
        "i": "integer",
        "d": "double?",
        "p": "decimal(10,2)?",
        "b": "boolean?",
        "y": "date?",
        "t": "timestamp?",
    }
    rows = pa.table(
        {
            "s": pa.array(["ß'\n", None]),
            "i": pa.array([2**63 - 1, -(2**63)]),
            "d": pa.array([0.1, None]),
            "p": pa.array([Decimal("1.25"), None], pa.decimal128(10, 2)),
            "b": pa.array([True, None]),
            "y": pa.array([15736, None], pa.date32()),
            "t": pa.array([1359590400000001, None], pa.timestamp("us", "UTC")),
        }
    )
    gives = {f"{name}2": kind for name, kind in kinds.items()}
    code = "import pyarrow as pa\ndef transform(batch):\n    return batch.rename_columns([n + '2' for n in batch.schema.names])\n"
    given = call_udf(udf(code, takes=kinds, gives=gives), rows, where="x")
    assert given.rename_columns(rows.column_names).to_pylist() == rows.to_pylist()


@pytest.mark.parametrize(
    ("code", "part", "line"),
    [
        ("def transform(batch:\n", "it is not Python", 1),
        ("x = 1\n", "defines no function `transform", None),
        ("def transform(batch):\n    return 1 / 0\n", "ZeroDivisionError: division by zero", 2),
        ("def helper():\n    return {}['x']\ndef transform(batch):\n    return helper()\n", "KeyError: 'x'", 2),
        ("import numpy.nothing_such\n", "No module named 'numpy.nothing_such'", 1),
        ("def transform(batch):\n    raise SystemExit(0)\n", "SystemExit: 0", 2),
        ("def transform(batch):\n    return None\n", "gave NoneType, not a pyarrow.RecordBatch", None),
        (returning("batch['n'][:1]"), "was given 3 rows and gave 1", None),
        (returning("batch['n']", "thrice"), "gave the columns ['thrice'], declared are ['twice']", None),
        (returning("batch['n'].cast('int32')"), "'twice' is int32, declared is int64", None),
        (returning("batch['n'].cast('string')"), "'twice' is string, declared is int64", None),
        ("import os\ndef transform(batch):\n    os._exit(0)\n", "its process ended before it gave a result", None),
        ("import os\ndef transform(batch):\n    os._exit(7)\n", "ended with status 7", None),
        ("import os\ndef transform(batch):\n    os.kill(os.getpid(), 11)\n", "ended with SIGSEGV", None),
        ("import os\ndef transform(batch):\n    os.system('true')\n", "no network and no other processes", 3),
        ("import socket\ndef transform(batch):\n    socket.create_connection(('127.0.0.1', 9))\n", "no network", 3),
        ("def transform(batch):\n    open('x', 'w').write('x' * 100000)\n", "File too large|SIGXFSZ", None),
    ],
)
def test_what_goes_wrong_is_told_with_its_line(code, part, line):
    error = failure(code)
    assert re.search(part if "|" in part else re.escape(part), error.detail), error.detail
    if line is not None:
        assert f"double_it.py:{line})" in error.detail


def test_values_that_were_not_declared_are_refused():
    assert "is null in row 1 of a batch, declared without '?'" in failure(DOUBLED, gives={"twice": "integer"}).detail
    odd = returning("pa.array([1.0, None, float('nan')])")
    assert "'twice' is nan in row 2 of a batch; give null" in failure(odd, gives={"twice": "double?"}).detail
    assert "'n' is declared without '?', and 1 rows lack it" in failure(DOUBLED, takes={"n": "integer"}).detail


@pytest.mark.parametrize(
    "column",
    [
        "pa.array([len(batch)] * len(batch), 'int64')",
        "pa.array(range(len(batch)), 'int64')",
        "pa.array([__import__('random').getrandbits(60) for _ in range(len(batch))], 'int64')",
        "pa.array([__import__('time').time_ns()] * len(batch), 'int64')",
    ],
)
def test_a_row_whose_result_depends_on_more_than_the_row_is_refused(column):
    detail = failure(returning(column)).detail
    assert "a row's result may depend on that row only" in detail


def test_an_endless_loop_is_killed():
    begun = time.monotonic()
    error = failure("def transform(batch):\n    while True:\n        pass\n", seconds=0.5)
    assert "took more than 0.5 s for a batch and was killed" in error.detail
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("code", ["x = bytearray(10**9)", "x = pa.array(range(10)).take(pa.nulls(2 * 10**8, 'int64'))"])
def test_too_much_memory_is_stopped(code):
    error = failure(f"import pyarrow as pa\ndef transform(batch):\n    {code}\n    return x\n", memory=128)
    assert "it needed more than 128 MiB and was stopped; see `memory`" in error.detail


def test_what_it_prints_and_whose_home_it_is_are_no_part_of_it():
    code = DOUBLED.replace(
        "    return",
        "    import os\n    print('x' * 10**6)\n    assert 'HOME' not in os.environ and os.listdir() == []\n    return",
    )
    assert call(code)["twice"].to_pylist() == [2, None, 6]


DOMAIN = """\
spice: 1
domain: shop
datasets: {orders: {file: orders.csv}}
udfs:
  double_it: {version: 1, takes: {n: integer?}, gives: {twice: integer?}}
pipelines:
  doubled:
    inputs: {orders: clean/orders}
    nodes: {all: {from: orders, udf: double_it, takes: {n: size}}}
    output: all
"""
LOCK = "spice: 1\ndatasets:\n  orders:\n    size: integer\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "udfs").mkdir()
    (tmp_path / "udfs" / "double_it.py").write_text(DOUBLED)
    (tmp_path / "domain.yaml").write_text(DOMAIN)
    (tmp_path / "types.lock").write_text(LOCK)
    return tmp_path


def faults(folder: Path) -> str:
    with pytest.raises(DefinitionError) as caught:
        load_domain(folder)
    return caught.value.text()


def test_a_version_is_locked_once_and_its_file_does_not_change_after(folder, capsys):
    assert "version 1 of 'double_it' is not in udfs.lock yet; run `python -m transforms.udf_lock" in faults(folder)
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out == "double_it 1 entered\n"
    before = code_version(load_domain(folder).pipelines["doubled"], "UTC")
    assert lock(folder) == []

    file = folder / "udfs" / "double_it.py"
    file.write_text(DOUBLED.replace(", 2)", ", 3)"))
    told = faults(folder)
    assert "double_it.py' changed, and the version of 'double_it' is still 1" in told
    assert "write `version: 2` or undo the change" in told
    assert main([str(folder)]) == 1
    assert "is still 1" in capsys.readouterr().err

    (folder / "domain.yaml").write_text(DOMAIN.replace("version: 1", "version: 2"))
    assert lock(folder) == ["double_it 2"]
    assert code_version(load_domain(folder).pipelines["doubled"], "UTC") != before


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("udf: double_it", "udf: doubel_it", "there is no function 'doubel_it' in `udfs`. Did you mean 'double_it'?"),
        ("takes: {n: size}", "takes: {m: size}", "'double_it' takes no column 'm'"),
        (
            "takes: {n: size}",
            "takes: {n: siez}",
            "there is no column 'siez' for 'n' of 'double_it'. Did you mean 'size'?",
        ),
        (", takes: {n: size}", "", "there is no column 'n' for 'n' of 'double_it'. Name another one in `takes`."),
        ("takes: {n: integer?}", "takes: {n: string?}", "column 'size' is integer; compute cast(... AS string) before"),
        ("gives: {twice", "gives: {size", "there is a column 'size' already"),
        ("gives: {twice: integer?}", "gives: {}", "is empty; at least one is needed"),
        ("version: 1", "version: 0", "greater than or equal to 1"),
        ("version: 1", "version: 1, second: 3", "there is no field 'second' here. Did you mean 'seconds'?"),
        ("double_it: {v", "double_that: {v", "its file .*double_that.py can't be read"),
    ],
)
def test_a_function_that_does_not_fit_is_an_error_with_its_place(folder, old, new, part):
    lock(folder)
    (folder / "domain.yaml").write_text(DOMAIN.replace(old, new, 1))
    told = faults(folder)
    assert part in told or re.search(part, told), told
    assert re.search(r"domain.yaml:\d+:\d+: (udfs|pipelines)\.", told)


def test_a_column_that_may_be_missing_needs_a_function_that_takes_it(folder):
    lock(folder)
    (folder / "types.lock").write_text(LOCK.replace("integer", "integer?"))
    (folder / "domain.yaml").write_text(DOMAIN.replace("takes: {n: integer?}", "takes: {n: integer}"))
    assert "column 'size' is integer?; declare integer? and handle missing values" in faults(folder)


def test_a_pipeline_calls_it_for_each_partition(folder, tmp_path):
    lock(folder)
    pipeline: Pipeline = load_domain(folder).pipelines["doubled"].model_copy(update={"partition": "orders"})
    lake = LocalLake(tmp_path / "lake")
    rows = pa.table({"size": [1, 2, 3], "_row": [1, 2, 3], "_partition": ["a", "a", "b"]})
    lake.replace("clean/orders", rows, versions={"a": "1" * 64, "b": "2" * 64}, partition_column="_partition")
    report = run_pipeline("doubled", pipeline, lake, ["a", "b"], engine=session, chunk_rows=2)
    assert report.columns == {"size": "integer?", "twice": "integer?"}
    made = lake.scan("transform/doubled").to_pylist()
    assert sorted((row["size"], row["twice"], row["_partition"]) for row in made) == [
        (1, 2, "a"),
        (2, 4, "a"),
        (3, 6, "b"),
    ]
