"""The engine and the check libraries start wherever they are first needed, also where there is no script to look beside.

`python -c` stands for a run worker that Dagster spawns: importing pyspark's client there used to end the process.
"""

import subprocess
import sys

import pytest

from resources.home import PROJECT_ROOT


@pytest.mark.parametrize(
    "first",
    [
        "from resources.spark import session; print(session().range(3).count())",
        "from transforms.gx_import import great_expectations; great_expectations(); print(3)",
        "from resources.spark import before_pyspark; before_pyspark(); import pandera.pandas; print(3)",
    ],
    ids=["session", "great_expectations", "pandera"],
)
def test_it_starts_without_a_main_script(first: str) -> None:
    done = subprocess.run([sys.executable, "-c", first], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr


PANDERA = "from resources.spark import before_pyspark; before_pyspark()"
ZONED = """
import datetime, zoneinfo
import pyarrow as pa
noon = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("America/New_York"))
print(pa.array([noon], pa.timestamp("us", "UTC"))[0].as_py().hour)
"""


@pytest.mark.parametrize(
    ("before", "hour"),
    [
        (f"{PANDERA}; import pandera.pandas", "16"),
        ("from transforms.gx_import import great_expectations; great_expectations()", "16"),
        (f"{PANDERA}; import os; del os.environ['PYARROW_IGNORE_TIMEZONE']; import pandera.pandas", "12"),
    ],
    ids=["pandera", "great_expectations", "control: without the variable"],
)
def test_the_check_libraries_leave_the_zones_of_times_alone(before: str, hour: str) -> None:
    """Summer noon in New York is 16 h UTC. Without the variable pandera makes Arrow drop the offset."""
    done = subprocess.run(
        [sys.executable, "-c", before + ZONED],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, hour), done.stderr
