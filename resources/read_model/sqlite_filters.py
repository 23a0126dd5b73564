"""Conditions, sort and page as SQL. Values are always bound; column names come from the layout, never from a query."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from resources.read_model.query import After, Cell, Circle, Condition, Operator, Order, Selection, Word
from resources.read_model.sqlite_layout import column, columns

EARTH_KM = 6371.0088


@dataclass(frozen=True)
class Sql:
    text: str
    values: tuple[Cell, ...] = ()


def conjunction(parts: list[Sql]) -> Sql:
    if not parts:
        return Sql("1")
    return Sql(" AND ".join(p.text for p in parts), tuple(v for p in parts for v in p.values))


def condition_sql(condition: Condition) -> Sql:
    name, value = columns(condition.field)[0], condition.value
    match condition.operator:
        case Operator.IS_NULL:
            return Sql(f"{name} IS {'' if value else 'NOT '}NULL")
        case Operator.IN:
            assert isinstance(value, tuple)  # noqa: S101
            if not value:
                return Sql("0")
            return Sql(f"{name} IN ({','.join('?' * len(value))})", value)
        case Operator.WITHIN:
            assert isinstance(value, Circle)  # noqa: S101
            return circle_sql(condition.field.name, value)
        case _:
            assert not isinstance(value, tuple | Circle)  # noqa: S101
            return Sql(f"{name} {condition.operator.value} ?", (value,))


def circle_sql(name: str, circle: Circle) -> Sql:
    """A band of latitudes (by the index), then the distance. The band is a little too wide, so rounding loses
    nothing.
    """
    band = math.degrees(circle.km / EARTH_KM) * 1.000001 + 1e-9
    return Sql(
        f"lat_{name} BETWEEN ? AND ? AND distance_km(lat_{name}, lon_{name}, ?, ?) <= ?",
        (circle.lat - band, circle.lat + band, circle.lat, circle.lon, circle.km),
    )


def distance_km(lat: float | None, lon: float | None, to_lat: float, to_lon: float) -> float | None:
    """Great-circle distance (haversine)."""
    if lat is None or lon is None:
        return None
    half = math.sin(math.radians(to_lat - lat) / 2) ** 2
    half += math.cos(math.radians(lat)) * math.cos(math.radians(to_lat)) * math.sin(math.radians(to_lon - lon) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def words_query(words: tuple[Word, ...]) -> str:
    """FTS5's own language: every word quoted, all must be there. Words are letters and digits only."""
    return " AND ".join(f'"{word.text}"{"*" if word.prefix else ""}' for word in words)


def ids_sql(name: str, ids: Sequence[str | int]) -> Sql:
    """Membership in a list of any length, as one bound value."""
    return Sql(f"{name} IN (SELECT value FROM json_each(?))", (json.dumps(ids),))  # noqa: S608


def filter_sql(no: int, selection: Selection) -> tuple[str, Sql]:
    """FROM and WHERE of a selection. Without a sort the words drive: FTS5 yields rows in order, a page stops early."""
    wheres = [condition_sql(c) for c in selection.where]
    if not selection.words:
        return f"t{no}", conjunction(wheres)
    if selection.sort:
        matching = Sql(f"rid IN (SELECT rowid FROM f{no} WHERE f{no} MATCH ?)", (words_query(selection.words),))  # noqa: S608
        return f"t{no}", conjunction([matching, *wheres])
    matching = Sql(f"f{no} MATCH ?", (words_query(selection.words),))
    if not wheres:
        return f"f{no}", matching
    return f"f{no} CROSS JOIN t{no} ON t{no}.rid = f{no}.rowid", conjunction([matching, *wheres])


def segments(no: int, selection: Selection, *, walk: bool = True) -> list[tuple[Sql, str]]:
    """The (WHERE, ORDER BY) pairs that give a sorted selection, one after the other. `walk`: along the index of the
    first sort field; without it what satisfies the conditions is sorted.

    Rows with and without a value in the first sort field are read apart: both are then one walk along that field's
    index, and a page that starts deep inside starts there.
    """
    sort, after = selection.sort, selection.after
    if not sort:
        born = f"f{no}.rowid" if selection.words else "rid"
        return [(Sql(f"{born} > ?", (after.born,)) if after else Sql("1"), born)]
    hidden = "" if walk else "+"  # from the planner, which would walk along any index that gives the order
    lead, rest = f"{hidden}{column(sort[0].field)}", sort[1:]
    descends = sort[-1].descending
    # In its own segment the first field is never null and needs no NULLS LAST, which would cost the index.
    tail = ", ".join(
        [
            *(f"{hidden}{column(o.field)} {'DESC' if o.descending else 'ASC'} NULLS LAST" for o in rest),
            f"{hidden}rid {'DESC' if descends else 'ASC'}",
        ]
    )
    with_value = f"{lead} {'DESC' if sort[0].descending else 'ASC'}, {tail}"
    without = Sql(f"{lead} IS NULL")
    if after is None:
        return [(Sql(f"{lead} IS NOT NULL"), with_value), (without, tail)]
    beyond_rest = _beyond(rest, After(after.cells[1:], after.born), descends=descends)
    first = after.cells[0]
    if first is None:
        return [(conjunction([without, beyond_rest]), tail)]
    at_or_beyond = Sql(f"{lead} {'<=' if sort[0].descending else '>='} ?", (first,))
    not_before = Sql(f"({lead} != ? OR {beyond_rest.text})", (first, *beyond_rest.values))
    return [(conjunction([at_or_beyond, not_before]), with_value), (without, tail)]


def whole_order(no: int, selection: Selection) -> str:
    """The ORDER BY of a selection in one piece. No index is walked for it: `+` hides the columns from the planner."""
    born = f"f{no}.rowid" if selection.words and not selection.sort else "rid"
    if not selection.sort:
        return born
    orders = [f"+{column(o.field)} {'DESC' if o.descending else 'ASC'} NULLS LAST" for o in selection.sort]
    return ", ".join([*orders, f"+rid {'DESC' if selection.sort[-1].descending else 'ASC'}"])


def _beyond(sort: tuple[Order, ...], after: After, *, descends: bool) -> Sql:
    """Rows behind `after` in the given order; nulls come last."""
    if not sort:
        return Sql(f"rid {'<' if descends else '>'} ?", (after.born,))
    name, cell = column(sort[0].field), after.cells[0]
    rest = _beyond(sort[1:], After(after.cells[1:], after.born), descends=descends)
    if cell is None:
        return Sql(f"({name} IS NULL AND {rest.text})", rest.values)
    sign = "<" if sort[0].descending else ">"
    return Sql(f"({name} {sign} ? OR {name} IS NULL OR ({name} = ? AND {rest.text}))", (cell, cell, *rest.values))
