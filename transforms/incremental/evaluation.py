"""The nodes of a pipeline over all rows of its inputs, or over those of certain values alone; and which values those
are, given what changed of the inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from transforms.definitions import Pipeline
from transforms.incremental.inputs import Input
from transforms.incremental.locality import By, Known, Read, reads_of
from transforms.nodes.frame import Frame
from transforms.nodes.node import Node
from transforms.outputs.changes import Changes
from transforms.outputs.keys import as_keys, keys_frame, of_keys
from transforms.schemas import nodes_in_order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Apply = Callable[[str, Sequence[Frame]], Frame]
"""A node by its name, over what it reads."""


@dataclass
class Evaluation:
    """One run's frames. `keys`: the values that a run is restricted to, where it is."""

    pipeline: Pipeline
    inputs: Mapping[str, Input]
    apply: Apply
    spark: "SparkSession"
    known: Known
    keys: "DataFrame | None" = None
    _frames: dict[tuple[str, By | None], Frame] = field(default_factory=dict)

    def frame(self, name: str, by: By | None = None) -> Frame:
        """All rows of a node or input (`by` None), or those whose values of `by` are among the keys."""
        found = self._frames.get((name, by))
        if found is None:
            found = self._input(name, by) if name in self.inputs else self._node(name, by)
            self._frames[name, by] = found
        return found

    def _input(self, name: str, by: By | None) -> Frame:
        one = self.inputs[name]
        rows = one.counted()
        if by is not None and self.keys is not None:
            rows = of_keys(rows, self.keys, by)
        return Frame(rows, dict(one.columns), partitioned=False)

    def _node(self, name: str, by: By | None) -> Frame:
        if by is None:
            return self.apply(name, [self.frame(read) for _, read in self.nodes[name].reads()])
        return self.apply(
            name, [self.frame(one.name, None if one.joined else one.columns) for one in self._reads(name, by)]
        )

    def affected(self, name: str, by: By, changes: Mapping[str, Changes]) -> "DataFrame | None":
        """Values of `by` of all rows of a node or input that may be others than before; None for none."""
        if name in self.inputs:
            return self._changed(changes.get(name), by)
        found = None
        reads = self._reads(name, by)
        for one in reads:
            keys = self.affected(one.name, one.columns, changes)
            if keys is not None and one.joined is not None:
                own = self.frame(reads[0].name).data
                keys = as_keys(of_keys(own, keys, one.joined), reads[0].columns)
            if keys is not None:
                found = keys if found is None else found.unionAll(keys)
        return found

    def _changed(self, changes: Changes | None, by: By) -> "DataFrame | None":
        if changes is None or not changes.any:
            return None
        keys = changes.keys(list(dict.fromkeys(by)))
        return keys_frame(self.spark, keys.select(list(by)))

    @cached_property
    def nodes(self) -> dict[str, Node]:
        return nodes_in_order(self.pipeline)

    def _reads(self, name: str, by: By) -> list[Read]:
        return reads_of(self.nodes[name], by, self.known)
