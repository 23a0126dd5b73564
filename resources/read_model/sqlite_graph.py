"""Reading the SQLite graph model: the same rows, and the way back along each link by its index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.read_model.base import GraphModel, GraphSnapshot
from resources.read_model.connection import ReadPool
from resources.read_model.query import Condition, DomainLayout, LinkField, Row, TypeLayout
from resources.read_model.sqlite_filters import condition_sql, conjunction, ids_sql
from resources.read_model.sqlite_layout import ModelOptions
from resources.read_model.sqlite_rows import row_reader
from resources.read_model.sqlite_search import Counts, SqliteSnapshot

GRAPH = ModelOptions("graph", words=False, backwards=True)


class SqliteGraphSnapshot(SqliteSnapshot, GraphSnapshot):
    def linking_to(
        self,
        type_layout: TypeLayout,
        link: LinkField,
        targets: list[str],
        where: tuple[Condition, ...] = (),
        limit: int | None = None,
    ) -> list[Row]:
        sql, to_row = row_reader(self._numbers[type_layout.name], type_layout)
        # The unary plus keeps the planner from another index: a few targets are nearly always the narrowest way in.
        condition = conjunction([ids_sql(f"l_{link.name}", targets), *map(condition_sql, where)])
        found = self._connection.execute(
            f"{sql} WHERE {condition.text} ORDER BY +rid LIMIT ?",
            (*condition.values, -1 if limit is None else limit),
        )
        return [to_row(row) for row in found]


class SqliteGraphModel(GraphModel):
    def __init__(self, path: Path, layouts: list[DomainLayout]) -> None:
        self._pool = ReadPool(path)
        self._layouts = {layout.domain: layout for layout in layouts}
        self._counts = Counts()

    @contextmanager
    def snapshot(self, domain: str) -> Iterator[SqliteGraphSnapshot]:
        with self._pool.transaction() as connection:
            yield SqliteGraphSnapshot(connection, self._layouts[domain], GRAPH, self._counts)

    def close(self) -> None:
        self._pool.close()
