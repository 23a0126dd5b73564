"""What the rows of a table should be, given those that it has and those of the result: one function for each mode.

All of it holds for the rows of some keys alone, too, where a mode's key has the columns of `incremental.by`: no row has
to do with one of another key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.errors import SpiceError
from resources.spark import to_arrow
from transforms.nodes.frame import reference
from transforms.outputs.changes import typed
from transforms.outputs.definition import CHANGE, CHANGE_NUMBER, Write
from transforms.outputs.keys import as_keys, of_keys, winners
from transforms.sql_values import name as quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


ARRIVAL = "_arrival"


@dataclass(frozen=True)
class Rows:
    """`current`: what the table has, `removed`: rows that removed their keys earlier (`merge`), `result`: what the
    pipeline makes. None where there are none."""

    current: "DataFrame | None"
    removed: "DataFrame | None"
    result: "DataFrame"


@dataclass(frozen=True)
class Desired:
    """`live`: the rows that the table should have; `removed`: those that remove their keys, kept apart."""

    live: "DataFrame"
    removed: "DataFrame | None" = None


def desired(write: Write, columns: Mapping[str, str], rows: Rows, where: str) -> Desired:
    """Raises SpiceError where two rows of a key can't both be, and nothing says which counts."""
    result = typed(rows.result, columns)
    if write.mode == "replace":
        return Desired(result)
    if write.mode == "append":
        return Desired(_appended(write, columns, rows.current, result, where))
    if write.mode == "merge":
        pool = result
        for others in (rows.current, rows.removed):
            pool = pool if others is None else pool.unionAll(typed(others, columns))
        counting = winners(pool, columns, write.key or [], _order(write))
        return Desired(_live(write, counting), _removed(write, counting))
    return Desired(_live(write, _one_per_key(write, columns, result, where)))


def now_in(changelog: "DataFrame", columns: Mapping[str, str], key: Sequence[str]) -> "DataFrame":
    """What a changelog says that there is: the last change of each key, unless it is gone."""
    from pyspark.sql import functions

    every = {**columns, CHANGE: "string", CHANGE_NUMBER: "integer"}
    last = winners(changelog, every, key, [f"{CHANGE_NUMBER} desc"])
    return last.where(reference(CHANGE) != functions.lit("gone")).select(*map(reference, columns))


def _appended(
    write: Write, columns: Mapping[str, str], current: "DataFrame | None", result: "DataFrame", where: str
) -> "DataFrame":
    key = write.key or []
    there = None if current is None else typed(current, columns)
    if write.duplicates == "skip":
        pool = _numbered(result, 1) if there is None else _numbered(there, 0).unionAll(_numbered(result, 1))
        first = winners(pool, {**columns, ARRIVAL: "integer"}, key, [ARRIVAL, *(write.order or [])])
        return first.select(*map(reference, columns))
    every = (result if there is None else there.unionAll(result)).distinct()
    _refuse_two(every, columns, key, where, "rows are only added; correct the source, or say `duplicates: skip`")
    return every


def _numbered(frame: "DataFrame", arrival: int) -> "DataFrame":
    from pyspark.sql import functions

    return frame.select("*", functions.lit(arrival).alias(ARRIVAL))


def _one_per_key(write: Write, columns: Mapping[str, str], result: "DataFrame", where: str) -> "DataFrame":
    key = write.key or []
    if write.order is not None:
        return winners(result, columns, key, _order(write))
    every = result.distinct()
    _refuse_two(every, columns, key, where, "say by `order` which counts")
    return every


def _order(write: Write) -> list[str]:
    """Of rows that the declared order leaves equal one that removes its key goes first."""
    return [*(write.order or []), *([f"{write.remove} desc"] if write.remove is not None else [])]


def _refuse_two(frame: "DataFrame", columns: Mapping[str, str], key: Sequence[str], where: str, advice: str) -> None:
    """Raise SpiceError where there are different rows of one key; they are shown."""
    from pyspark.sql import functions

    several = frame.groupBy(*map(reference, key)).agg(functions.expr("COUNT(*)").alias("_rows"))
    keys = as_keys(several.where("_rows > 1").limit(1), key)
    found = to_arrow(of_keys(frame, keys, key).limit(2)).select(list(columns)).to_pylist()
    if found:
        shown = ", ".join(f"{name} {found[0][name]}" for name in key)
        differ = [name for name in columns if found[0][name] != found[-1][name]]
        said = "; ".join(f"{name} is {found[0][name]} and {found[-1][name]}" for name in differ)
        raise SpiceError(
            "Two rows of one key",
            f"{shown}: {said}. Nothing was written: {advice}.",
            where=f"{where}.write.key",
            status=409,
        )


def _live(write: Write, frame: "DataFrame") -> "DataFrame":
    return frame if write.remove is None else frame.where(f"NOT COALESCE({quoted(write.remove)}, FALSE)")


def _removed(write: Write, frame: "DataFrame") -> "DataFrame | None":
    return None if write.remove is None else frame.where(f"COALESCE({quoted(write.remove)}, FALSE)")
