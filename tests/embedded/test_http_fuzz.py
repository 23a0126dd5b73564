"""Schemathesis reads the OpenAPI document and asks what a client might, right and wrong: no answer breaks its word."""

import re
import subprocess
import sys
from pathlib import Path

from resources.home import PROJECT_ROOT
from tests.embedded.conftest import Bakery
from tests.served import served

EXAMPLES = 15
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_schemathesis_finds_no_failure(bakery_run: Bakery, tmp_path: Path) -> None:
    with served(bakery_run.home, bakery_run.shop.folder) as address:
        done = subprocess.run(
            [
                *(str(SCHEMATHESIS), "--config-file", str(PROJECT_ROOT / "schemathesis.toml")),
                *("run", f"{address}/openapi.json", "--max-examples", str(EXAMPLES), "--seed", "20131", "--no-color"),
            ],
            cwd=tmp_path,  # it keeps a folder of examples beside itself
            capture_output=True,
            text=True,
            check=False,
        )
    text = "\n".join(line[:400] for line in done.stdout.splitlines())
    assert done.returncode == 0, text
    cases = re.search(r"(\d+) generated, (\d+) passed", text)
    assert cases is not None, text
    assert int(cases[1]) == int(cases[2]) > 500
    assert "Tested: 8" in text
