"""Schemathesis reads the OpenAPI document and asks what a client might, right and wrong: no answer breaks its word."""

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from gateway.readers import open_readers
from ontology_assets.events.verify import verify
from resources.home import PROJECT_ROOT, Home
from tests.embedded.conftest import Bakery
from tests.served import served
from tests.writable import writable

EXAMPLES = 10
WRITTEN = 20
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_schemathesis_finds_no_failure(bakery_run: Bakery, tmp_path: Path) -> None:
    own = writable(bakery_run, tmp_path)  # commands are asked too, and many of them are right
    with own.following(), served(own.home, own.folder) as address:
        with urllib.request.urlopen(f"{address}/openapi.json") as answer:
            operations = sum(len(methods) for methods in json.load(answer)["paths"].values())
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
    assert f"Tested: {operations}" in text
    with open_readers(Home(own.home), [own.domain]) as readers:
        assert verify(readers.log("bakery")).ok
        assert readers.stats("bakery")["by_type"]["ObjectCreated"] > WRITTEN
