"""docs/incremental.md: each mode's example gives the table that it shows."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from resources.home import PROJECT_ROOT
from resources.lake.local import LocalLake
from resources.spark import session
from transforms.definitions import Pipeline
from transforms.nodes.example import Table, sorted_rows
from transforms.outputs.definition import MODES
from transforms.pipeline import run_pipeline

PAGE = (PROJECT_ROOT / "docs" / "incremental.md").read_text("utf-8")
SECTIONS = {
    one.partition("\n")[0]: one for one in re.split(r"^### ", PAGE.partition("\n## Incremental")[0], flags=re.M)[1:]
}
LINE = re.compile(r"^\|.*\|$")


def tables(section: str) -> list[Table]:
    """All tables of a section, without the lines under their heads."""
    found: list[list[str]] = [[]]
    for line in section.splitlines():
        if not LINE.match(line):
            found.append([])
        elif not line.startswith("|---"):
            found[-1].append(line)
    return [Table("\n".join(lines)) for lines in found if lines]


def test_each_mode_has_an_example() -> None:
    assert {title.partition("`")[2].partition("`")[0] for title in SECTIONS} == set(MODES)


@pytest.mark.parametrize("title", SECTIONS)
def test_the_example_gives_the_table_that_it_shows(title: str, tmp_path: Path) -> None:
    section = SECTIONS[title]
    pipeline = Pipeline.model_validate(yaml.safe_load(section.partition("```yaml")[2].partition("```")[0]))
    *inputs, shown = tables(section)
    assert len(inputs) >= 2
    lake = LocalLake(tmp_path)
    for one in inputs:
        version = sha256(one.text.encode()).hexdigest()
        (table,) = pipeline.inputs.values()
        lake.replace(table, one.arrow(), versions={"": version}, partition_column=None)
        run_pipeline("p", pipeline, lake, [""], engine=session)
    made = lake.scan("transform/p").select(list(shown.columns))
    assert sorted_rows([tuple(row.values()) for row in made.to_pylist()]) == sorted_rows(shown.rows())
