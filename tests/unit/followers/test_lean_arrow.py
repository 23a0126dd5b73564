"""A follower's imports and first use of Arrow load no pandas, no Spark and no Delta."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PARTS = """
from resources.lean_arrow import keep_pandas_out, give_memory_back
keep_pandas_out()
import ontology_assets.events.log, ontology_assets.followers.relay, ontology_assets.followers.signals
import ontology_assets.followers.status, resources.registry.sql, resources.topic.sqlite
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_follower_loads_nothing_heavy() -> None:
    heavy = {"pandas", "pyspark", "pysail", "deltalake", "dagster", "great_expectations", "pandera", "duckdb", "numba"}
    loaded = run(f"{PARTS}\nimport sys, pyarrow as pa; pa.array([1])\nprint(*(set(sys.modules) & {heavy!r}))")

    assert loaded == ""


def test_pandas_is_still_there_for_those_who_want_it() -> None:
    code = f"{PARTS}\nimport pyarrow as pa\nprint(pa.table({{'n': [1, 2]}}).to_pandas()['n'].sum())"

    assert run(code) == "3"
