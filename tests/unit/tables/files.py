"""Small source files and datasets for the tests of this folder."""

from pathlib import Path
from typing import Any

from resources.sources import SourceFile, find_source
from transforms.definitions import Dataset, DayPartition

FOLDER = "shop"


def put(home: Path, content: str | bytes, name: str = "orders.csv") -> SourceFile:
    """Write a source file below `<home>/sources/shop/` and find it."""
    path = home / "sources" / FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return find_source(home / "sources", FOLDER, name)


def dataset(*, partitioned: bool = True, by: str = "day", **fields: Any) -> Dataset:
    """`orders.csv` with a `day` column, partitioned over the first week of 2024."""
    partition = DayPartition(by=by, of="day", start="2024-01-01", end="2024-01-07") if partitioned else None
    return Dataset(file="orders.csv", partition=partition, **fields)


WEEK = [f"2024-01-0{day}" for day in range(1, 8)]
