"""Great Expectations is imported lightly and quietly."""

import os
import subprocess
import sys
from pathlib import Path

from resources.home import PROJECT_ROOT

SCRIPT = """
import sys
import pyarrow as pa
from pathlib import Path
from resources.lake.local import LocalLake
from transforms.checking import judge
from transforms.gating import TableRules
from transforms.rule_definitions import Expectation
from transforms.gx_import import warm_up

warm_up()
lake = LocalLake(Path(sys.argv[1]))
lake.replace("t", pa.table({"x": [1, 2, 900]}), versions={"": "1" * 64}, partition_column=None)
rules = [Expectation(rule="values_between", column="x", max=10), Expectation(rule="unique", columns=["x"])]
print([outcome.passed for outcome in judge(TableRules("t", None, rules), lake, None).outcomes])
print(sorted({"altair", "scipy.stats", "pyspark.sql.connect.session"} & set(sys.modules)))
import scipy.stats
print(round(scipy.stats.norm.cdf(0), 1))
"""


def test_it_says_nothing_writes_nothing_and_leaves_charts_and_statistics_alone(tmp_path: Path) -> None:
    home, script = tmp_path / "home", tmp_path / "script.py"
    home.mkdir()
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "lake")],
        cwd=tmp_path,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    passed, modules, half = done.stdout.splitlines()
    assert passed == "[False, True]"
    assert "altair" not in modules
    assert "scipy.stats" not in modules
    assert half == "0.5"
    assert done.stderr == ""
    assert list(home.iterdir()) == []
