"""The digest computed again from the rows that queries read: what a store would have to hold to answer right."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice, repeat
from typing import TypeVar

from ontology_assets.canonical import NotCanonical, canonical_json, quoted
from ontology_assets.projections.cells import PLAIN, decode
from ontology_assets.projections.digest import document_hashes
from resources.read_model.base import BUCKETS, BucketDigest, ReadModelWriter
from resources.read_model.digest_sums import DigestSums
from resources.read_model.query import Cell, DomainLayout, Field, Row, TypeLayout

STEP = 5_000
NO_VALUE = "?"
EVERY_BUCKET = range(BUCKETS)
Key = TypeVar("Key")


def recompute(writer: ReadModelWriter, layout: DomainLayout, bucket: int | None = None) -> dict[int, BucketDigest]:
    """By bucket, from fields, links, ids and positions; nothing of the stored hashes is used.

    A row counts where the store counts it: one that it counts to a wrong bucket makes two of them differ from the log.
    """
    sums = DigestSums()
    for type_layout in layout.types:
        found = writer.documents(type_layout.name, bucket)
        while rows := list(islice(found, STEP)):
            _add(sums, layout.domain, rows)
    for of_bucket, name, key, position in writer.tombstones(bucket):
        sums.add([of_bucket], document_hashes(layout.domain, name, [key], [position], ["null"], deleted=True))
    return sums.buckets()


def document_texts(layout: TypeLayout, rows: Sequence[Row]) -> list[str]:
    """The canonical document of each stored row, column by column (a third of the time that row by row takes)."""
    columns = list(zip(*(row.cells for row in rows), strict=True))
    members: list[list[str | None]] = []
    at = 0
    for field in layout.fields:
        if field.kind in PLAIN:  # the cell is the value
            members.append(_members(field.name, columns[at], _plain))
        else:
            cells = list(zip(*columns[at : at + field.cells], strict=True))
            members.append(_members(field.name, cells, partial(_decoded, field)))
        at += field.cells
    linked = [
        _members(link.name, targets, _one_target)
        for link, targets in zip(layout.links, zip(*(row.links for row in rows), strict=True), strict=True)
    ]
    links: Iterable[str] = _joined(linked) if linked else repeat("", len(rows))
    return [
        f'{{"links":{{{of_links}}},"properties":{{{of_properties}}}}}'
        for of_links, of_properties in zip(links, _joined(members), strict=True)
    ]


def _joined(members: Sequence[Sequence[str | None]]) -> Iterable[str]:
    """Of each row the members that are there."""
    rows = zip(*members, strict=True)
    if any(None in of_one for of_one in members):
        return (",".join(filter(None, row)) for row in rows)
    return map(",".join, rows)


def _plain(cell: Cell) -> str | None:
    if type(cell) is str:  # most are; a match over all kinds takes twice as long
        return quoted(cell)
    return None if cell is None else canonical_json(cell)


def _decoded(field: Field, cells: Sequence[Cell]) -> str | None:
    value = decode(field, cells)
    return None if value is None else canonical_json(value)


def _one_target(target: str | None) -> str | None:
    return None if target is None else f"[{quoted(target)}]"


def _members(name: str, cells: Sequence[Key], written: Callable[[Key], str | None]) -> list[str | None]:
    """`"name":value` for each row, None where it is absent. Each distinct value is written once.

    A damaged cell that is no value at all becomes what stands in no document, so its bucket differs.
    """
    known: dict[Key, str | None] = {}
    prefix = f"{quoted(name)}:"
    for key in set(cells):
        try:
            text = written(key)
        except (NotCanonical, ValueError, TypeError, OverflowError):
            text = NO_VALUE
        known[key] = None if text is None else prefix + text
    return [known[key] for key in cells]


def _add(sums: DigestSums, domain: str, stored: list[tuple[int, Row]]) -> None:
    counted = [one for one in stored if one[0] in EVERY_BUCKET]  # one that is counted nowhere is missing in its own
    if not counted:
        return
    rows = [row for _, row in counted]
    ids, positions = [row.id for row in rows], [row.position for row in rows]
    texts = document_texts(rows[0].type, rows)
    hashes = document_hashes(domain, rows[0].type.name, ids, positions, texts, deleted=False)
    sums.add([bucket for bucket, _ in counted], hashes)
