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
        "from resources.spark import name_spark_home; name_spark_home(); import pandera.pandas; print(3)",
    ],
    ids=["session", "great_expectations", "pandera"],
)
def test_it_starts_without_a_main_script(first: str) -> None:
    done = subprocess.run([sys.executable, "-c", first], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr
