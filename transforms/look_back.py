"""Look-back: a partition of a pipeline is made of that partition of the followed input and of some before it.

Each row is read once for each partition that looks at it, and carries that partition instead of its own, so that the
nodes keep the pieces apart as they always do; a date column says which day a row is read for. The first partitions of
the calendar have fewer before them; one that is due and not there is an error, never a smaller sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from resources.errors import SpiceError
from resources.lake.base import PARTITION
from transforms.day_partition import DayPartition
from transforms.definitions import Pipeline
from transforms.nodes.frame import reference
from transforms.placement import Engine

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SOURCE, TARGET = "_read_from", "_read_for"


@dataclass(frozen=True)
class Reach:
    """Which partitions of the followed input each partition reads: its own, and `count` before it in the calendar."""

    count: int
    calendar: DayPartition

    def sources(self, key: str) -> list[str]:
        """Oldest first, its own last."""
        found, day = [key], date.fromisoformat(key)
        first = self.calendar.start if self.calendar.by == "day" else self.calendar.start.replace(day=1)
        for _ in range(self.count):
            day -= timedelta(days=1)
            day = day if self.calendar.by == "day" else day.replace(day=1)
            if day < first:
                break
            found.append(day.isoformat())
        return found[::-1]

    def all_sources(self, keys: Sequence[str]) -> list[str]:
        """Of several partitions together, each once, oldest first."""
        return sorted({source for key in keys for source in self.sources(key)})


def reach_of(name: str, pipeline: Pipeline) -> Reach | None:
    """None for a pipeline that does not look back."""
    if pipeline.look_back is None:
        return None
    if pipeline.calendar is None:
        raise SpiceError(
            "No calendar",
            "a pipeline looks back in the partitions of the input that it follows, which has none.",
            where=f"pipelines.{name}.look_back",
        )
    return Reach(pipeline.look_back.partitions, pipeline.calendar)


def input_columns(pipeline: Pipeline, local: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Columns of an input as the nodes see it: with the day, where the pipeline looks back in it."""
    if pipeline.look_back is None or local != pipeline.partition:
        return dict(columns)
    return {**columns, pipeline.look_back.day: "date"}


def spread(frame: "DataFrame", engine: Engine, reach: Reach, keys: Sequence[str], day: str) -> "DataFrame":
    """Each row once for each of the keys that read its partition, which it carries instead of its own."""
    from pyspark.sql.connect.functions import col, to_date

    pairs = [(source, key) for key in keys for source in reach.sources(key)]
    targets = engine().createDataFrame(pairs, f"{SOURCE} string, {TARGET} string")
    joined = frame.join(targets, frame[PARTITION] == targets[SOURCE], "inner")
    kept = [reference(name) for name in frame.columns if name != PARTITION]
    return joined.select(*kept, to_date(col(TARGET)).alias(day), col(TARGET).alias(PARTITION))
