"""Running many small pipelines as one query, so that an engine plans once and not a hundred times.

Each case's rows become texts beside the case's name; they are read back in the types that the definition promised, which
the engine's own types have to be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from resources.spark import from_arrow, to_arrow
from transforms.definitions import Pipeline
from transforms.nodes.example import Cell, Table, cell, sorted_rows
from transforms.nodes.frame import Frame, reference
from transforms.pipeline import node_frames
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PARTITION = "_partition"
BATCH = 40


@dataclass(frozen=True)
class Case:
    """`nodes`: YAML; the last one gives `result`, or the one named by `output`. A table with a column `_partition` is
    the one that the pipeline follows."""

    name: str
    tables: Mapping[str, Table]
    nodes: str
    result: Table
    output: str = ""
    timezone: str = "UTC"

    def pipeline(self) -> Pipeline:
        nodes = YAML(typ="safe", pure=True).load(self.nodes)
        followed = next((name for name, one in self.tables.items() if PARTITION in one.columns), None)
        return Pipeline.model_validate(
            {
                "inputs": {name: f"clean/{name}" for name in self.tables},
                "partition": followed,
                "nodes": nodes,
                "output": self.output or list(nodes)[-1],
            }
        )


def frames_of(case: Case, engine: "SparkSession") -> dict[str, Frame]:
    """All inputs and nodes of a case."""
    inputs = {}
    for name, one in case.tables.items():
        columns = {column: kind for column, kind in one.columns.items() if column != PARTITION}
        inputs[name] = Frame(from_arrow(engine, one.arrow()), columns, PARTITION in one.columns)
    return node_frames("p", case.pipeline(), inputs, case.timezone)


def frame_of(case: Case, engine: "SparkSession") -> Frame:
    pipeline = case.pipeline()
    return frames_of(case, engine)[pipeline.output]


@dataclass
class Outcome:
    """What an engine made of a case: columns as promised and as they are, rows. Or why there is none."""

    promised: dict[str, str] = field(default_factory=dict)
    engine_types: dict[str, str] = field(default_factory=dict)
    rows: list[tuple[Cell, ...]] = field(default_factory=list)


def outcomes(cases: Sequence[Case], engine: "SparkSession") -> dict[str, Outcome]:
    """The outcome of each case by its name."""
    found: dict[str, Outcome] = {}
    for start in range(0, len(cases), BATCH):
        parts = []
        for case in cases[start : start + BATCH]:
            frame = frame_of(case, engine)
            columns = {**frame.columns, **dict.fromkeys(frame.carried, "string")}
            types = {one.name: one.dataType.simpleString() for one in frame.data.schema.fields}
            found[case.name] = Outcome(columns, types)
            parts.append(_as_texts(case.name, frame.data, list(columns)))
        together = to_arrow(reduce(lambda one, other: one.unionAll(other), parts))
        for row in together.to_pylist():
            outcome = found[row["name"]]
            kinds = [parse_type(kind) for kind in outcome.promised.values()]
            values: list[Any] = [
                None if text is None else (cell(text, kind) if kind.kind != "string" else text)
                for text, kind in zip(row["texts"], kinds, strict=True)
            ]
            outcome.rows.append(tuple(values))
    for outcome in found.values():
        outcome.rows = sorted_rows(outcome.rows)
    return found


def _as_texts(name: str, data: "DataFrame", columns: Sequence[str]) -> "DataFrame":
    from pyspark.sql import functions

    texts = functions.array(*(reference(column).cast("string") for column in columns))
    return data.select(functions.lit(name).alias("name"), texts.alias("texts"))


def wanted_types(columns: Mapping[str, str]) -> dict[str, str]:
    """Spark's names of our types."""
    return {name: parse_type(kind).sql.lower().replace(", ", ",") for name, kind in columns.items()}
