"""What may happen between the loop and a sink on another machine: the same again, more than asked, later first."""

from typing import Any

import pyarrow as pa

from ontology_assets.followers.sink import Sink
from resources.errors import SpiceError
from tests.simulator.world import World


class Delivery:
    """A sink as seen through such a wire."""

    def __init__(self, world: World, inner: Sink) -> None:
        self._world, self._inner = world, inner
        self._last: pa.RecordBatch | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def apply(self, batch: pa.RecordBatch, epoch: int) -> None:
        faults = self._world.faults
        fault = faults.draw(("delivery: duplicate", "delivery: overlap", "delivery: out of order"))
        if fault is not None:
            self._world.note(fault)
        if fault == "delivery: overlap" and self._last is not None and _last_of(self._last) + 1 == _first_of(batch):
            batch = pa.concat_batches([self._last, batch]).replace_schema_metadata(batch.schema.metadata)
        if fault == "delivery: out of order" and batch.num_rows > 1:
            try:
                self._inner.apply(batch.slice(1), epoch)
            except SpiceError as refusal:
                if refusal.title != "Events missing":
                    raise
        self._inner.apply(batch, epoch)
        if fault == "delivery: duplicate":
            self._inner.apply(batch, epoch)
        self._last = batch


def _first_of(batch: pa.RecordBatch) -> int:
    return int(batch.column("position")[0].as_py())


def _last_of(batch: pa.RecordBatch) -> int:
    return int(batch.column("position")[batch.num_rows - 1].as_py())
