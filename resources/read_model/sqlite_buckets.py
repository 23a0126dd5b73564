"""Replacing one bucket of a domain in a SQLite read model, inside the writer's transaction."""

from collections.abc import Iterable
from dataclasses import replace

from resources.read_model.base import Changes
from resources.read_model.query import DomainLayout
from resources.read_model.sqlite_changes import ChangeWriter


def replace_bucket(change: ChangeWriter, layout: DomainLayout, bucket: int, content: Iterable[Changes]) -> None:
    """Everything of the bucket goes, whatever it is; `content` (whole histories) takes its place.

    Words that were damaged can't be taken out of their index one by one, so that is built anew where it is there.
    """
    connection, tables, options = change.connection, change.tables, change.options
    words = {kind.name for kind in layout.types if options.words and kind.has_words}
    touched = set()
    for name, no in tables.numbers.items():
        gone = connection.execute(f"DELETE FROM t{no} WHERE bucket = ?", (bucket,)).rowcount  # noqa: S608
        connection.execute("DELETE FROM tombstones WHERE no = ? AND bucket = ?", (no, bucket))
        if gone:
            touched.add(name)
    for table in ("parked", "digest"):
        connection.execute(f"DELETE FROM {table} WHERE domain = ? AND bucket = ?", (layout.domain, bucket))  # noqa: S608
    # Rows are not put into indexes of words one by one, and a damaged row may stand where a good one belongs.
    filling = replace(change, tables=replace(tables, settled=set()), verb="INSERT OR REPLACE")
    for changes in content:
        for part in changes.live:
            filling.live(part)
            touched.add(part.type.name)
        for part in changes.gone:
            filling.gone(part)
        filling.parked(changes.parked)
    filling.digest()
    for name in sorted(touched & words & tables.settled):
        no = tables.numbers[name]
        connection.execute(f"INSERT INTO f{no}(f{no}) VALUES ('rebuild')")  # noqa: S608
