"""Reading the SQLite graph model: the same rows, and the way back along each link by its index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.read_model.base import GraphModel, GraphSnapshot
from resources.read_model.connection import ReadPool
from resources.read_model.query import Condition, DomainLayout, LinkField, Row, TypeLayout
from resources.read_model.sqlite_filters import Sql, condition_sql, conjunction, ids_sql
from resources.read_model.sqlite_layout import ModelOptions
from resources.read_model.sqlite_rows import row_reader
from resources.read_model.sqlite_search import Counts, SqliteSnapshot
from resources.read_model.time_limit import TimeLimit

GRAPH = ModelOptions("graph", words=False, backwards=True)


class SqliteGraphSnapshot(SqliteSnapshot, GraphSnapshot):
    def links_to(
        self,
        type_layout: TypeLayout,
        link: LinkField,
        targets: list[str],
        where: tuple[Condition, ...] = (),
        limit: int | None = None,
    ) -> list[tuple[int, str]]:
        no = self._numbers[type_layout.name]
        name, most = f"l_{link.name}", -1 if limit is None else limit
        conditions = [condition_sql(c) for c in where]
        if len(targets) == 1:
            # The index of a link yields the objects of one target in order of rid, so a limit stops early.
            condition, index, order = conjunction([Sql(f"{name} = ?", (targets[0],)), *conditions]), "", "rid"
        else:
            # Without conditions the index alone has the answer, if the planner is kept from the order of the table.
            index = "" if conditions else f"INDEXED BY i{no}_{name} "
            condition, order = conjunction([ids_sql(name, targets), *conditions]), "+rid"
        text = f"SELECT rid, {name} FROM t{no} {index}WHERE {condition.text} ORDER BY {order} LIMIT ?"  # noqa: S608
        return self._connection.execute(text, (*condition.values, most)).fetchall()

    def born_at(self, type_layout: TypeLayout, born: list[int]) -> list[Row]:
        sql, to_row = row_reader(self._numbers[type_layout.name], type_layout)
        condition = ids_sql("rid", born)
        return [to_row(row) for row in self._connection.execute(f"{sql} WHERE {condition.text}", condition.values)]


class SqliteGraphModel(GraphModel):
    def __init__(self, path: Path, layouts: list[DomainLayout]) -> None:
        self._pools = {waits: ReadPool(path, waits=waits) for waits in (True, False)}
        self._layouts = {layout.domain: layout for layout in layouts}
        self._counts = Counts()

    @contextmanager
    def snapshot(self, domain: str, limit: TimeLimit | None = None) -> Iterator[SqliteGraphSnapshot]:
        with self._pools[limit is None or limit.waits].transaction(limit) as connection:
            yield SqliteGraphSnapshot(connection, self._layouts[domain], GRAPH, self._counts)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
