"""The states in events' data as cells, link targets and document texts: by column where every text is plain, else one
by one.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa

from ontology_assets.canonical import canonical_json
from ontology_assets.projections.cells import Unfit, encode_column
from ontology_assets.projections.json_columns import CHECKED_KINDS, read_columns
from resources.read_model.query import Cell, TypeLayout

Decoded = tuple[list[list[Cell]], list[list[str | None]], list[str]]
"""Cells by column, targets by link, document texts."""
DECODED_AT_ONCE = 500
"""Parsed events that stay in the processor's cache: 10,000 at once take twice the time a row."""


def decode_states(data: list[str], layout: TypeLayout) -> Decoded:
    """Raises Unfit."""
    at_once = read_columns(data, layout)
    if at_once is not None:
        columns, targets = at_once
        values = [column.to_pylist() for column in columns]
        cells = [column for f, v in zip(layout.fields, values, strict=True) for column in encode_column(f, v)]
        return cells, [ids.to_pylist() for ids in targets], [_state_text(text) for text in data]
    return _decode_one_by_one(data, layout)


def state_texts(data: list[str], layout: TypeLayout) -> list[str]:
    """The texts alone. Raises Unfit where `decode_states` does."""
    if _fit_at_once(data, layout):
        return [_state_text(text) for text in data]
    return _decode_one_by_one(data, layout)[2]


def all_fit(data: pa.StringArray, layout: TypeLayout) -> bool:
    """Whether `decode_states` takes all of them."""
    try:
        if not _fit_at_once(data, layout):
            _decode_one_by_one(data.to_pylist(), layout)
    except Unfit:
        return False
    return True


def _fit_at_once(data: list[str] | pa.StringArray, layout: TypeLayout) -> bool:
    """True if all are plain and fit; False if they have to be looked at one by one. Raises Unfit."""
    at_once = read_columns(data, layout)
    if at_once is None:
        return False
    for field, column in zip(layout.fields, at_once[0], strict=True):
        if field.kind not in CHECKED_KINDS:
            values = column if pa.types.is_struct(column.type) else column.unique()
            encode_column(field, values.to_pylist())
    return True


def _decode_one_by_one(data: list[str], layout: TypeLayout) -> Decoded:
    cells: list[list[Cell]] = [[] for _ in range(layout.cells)]
    links: list[list[str | None]] = [[] for _ in layout.links]
    texts: list[str] = []
    for start in range(0, len(data), DECODED_AT_ONCE):
        part = _decode_part(data[start : start + DECODED_AT_ONCE], layout)
        for column, more in zip(cells, part[0], strict=True):
            column.extend(more)
        for targets, ids in zip(links, part[1], strict=True):
            targets.extend(ids)
        texts.extend(part[2])
    return cells, links, texts


def _decode_part(texts: list[str], layout: TypeLayout) -> Decoded:
    try:
        data = [orjson.loads(text) for text in texts]
        states = [d["state"] for d in data]
        properties = [state.get("properties", {}) for state in states]
        linked = [state.get("links", {}) for state in states]
        columns = [_member(f.name, properties) for f in layout.fields]
        targets = [_member(link.name, linked) for link in layout.links]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as fault:
        raise Unfit(f"the event's data is no state of an object: {fault!r}") from fault
    cells = [column for f, values in zip(layout.fields, columns, strict=True) for column in encode_column(f, values)]
    links = [_targets(link.name, values) for link, values in zip(layout.links, targets, strict=True)]
    # Counted over the whole batch: are there members that the layout does not have?
    known = sum(len(v) - v.count(None) for v in columns) == sum(map(len, properties)) and sum(
        len(v) - v.count(None) for v in links
    ) == sum(map(len, linked))
    shaped = (
        known and set(map(len, states)) == {2} and sum(map(len, data)) == len(data) + sum("changed" in d for d in data)
    )
    if shaped:
        return cells, links, [_state_text(text) for text in texts]
    rows = range(len(texts))
    return cells, links, [document_text(layout, [c[k] for c in columns], [t[k] for t in links]) for k in rows]


def _state_text(text: str) -> str:
    """The state's own text: it is the last member, and names before it can't be followed by a colon."""
    return text[9:-1] if text.startswith('{"state":') else text[text.index('"state":') + 8 : -1]


def _member(name: str, documents: list[dict[str, Any]]) -> list[Any]:
    """The member of each document, None where it is absent. Most have it: asking without a default is twice as fast."""
    try:
        return list(map(itemgetter(name), documents))
    except KeyError:
        return [document.get(name) for document in documents]


def document_text(layout: TypeLayout, values: Sequence[Any], targets: Sequence[str | None]) -> str:
    """The canonical document of JSON values in field order and link targets in link order."""
    return canonical_json(
        {
            "links": {link.name: None if t is None else [t] for link, t in zip(layout.links, targets, strict=True)},
            "properties": {f.name: value for f, value in zip(layout.fields, values, strict=True)},
        }
    )


def _targets(name: str, values: list[Any]) -> list[str | None]:
    """The one target of each row. Raises Unfit."""
    kinds = set(map(type, values))
    if not kinds <= {list, type(None)}:
        raise Unfit(f"link {name} is no list of ids")
    counts = set(map(len, values if kinds == {list} else filter(None, values)))
    if not counts <= {0, 1}:
        raise Unfit(f"link {name} leads to more than one object")
    if kinds == {list} and counts == {1}:
        targets = list(map(itemgetter(0), values))
    else:
        targets = [v[0] if v else None for v in values]
    if not set(map(type, targets)) <= {str, type(None)}:
        raise Unfit(f"link {name} holds something that is no id")
    return targets
