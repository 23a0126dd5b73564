"""A process that is killed while it takes arrivals in loses nothing, and its repetition writes nothing twice."""

import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from resources.home import PROJECT_ROOT
from tests.unit.tables.arrivals import NOON, Row, Shop, by_duckdb
from tests.unit.tables.test_incremental import CASES, table

LONG = bool(os.environ.get("SPICE_LONG_TESTS"))
POINTS = [
    ("merge, the last file only", "after", 0),  # the keys that are removed are written, the table is not
    ("append, all that came", "before", 0),
    *([("merge, the last file only", "after", 1), ("changelog", "after", 0)] if LONG else []),
    *([("replace, join, both sides arrive", "before", 0)] if LONG else []),
]
ITEMS = ["tea", "jam", "rye", None]


def sales(first: int, count: int) -> list[Row]:
    chance = random.Random(first)
    return [
        {
            "id": number,
            "item": chance.choice(ITEMS),
            "shop": chance.choice(["north", "south"]),
            "amount": chance.randrange(5),
            "sold_at": NOON + timedelta(hours=chance.randrange(4)),
            "gone": chance.random() < 0.4,
        }
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize(("name", "moment", "commit"), POINTS)
def test_a_kill_at_a_commit_loses_and_doubles_nothing(name: str, moment: str, commit: int, tmp_path: Path) -> None:
    case = CASES[name]
    shop = Shop.new(tmp_path, case.pipeline)
    arrived: list[Row] = []
    for piece in (sales(0, 6), sales(6, 6), sales(12, 6)):
        arrived += piece
        (shop.add if case.held == "pile" else shop.put)("sales", piece)
        if len(arrived) == 12:
            command = [sys.executable, "-m", "tests.embedded.incremental_process", tmp_path, name, moment, str(commit)]
            assert subprocess.run(command, cwd=PROJECT_ROOT, check=False).returncode == -signal.SIGKILL
        shop.run()
    assert table(shop, case) == by_duckdb(case.sql, {"sales": arrived})
    assert not shop.run().partitions[""].changed
