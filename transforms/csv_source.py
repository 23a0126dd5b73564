"""A CSV file as blocks of text columns: header, rows, and the rows that do not fit the header.

Every value comes as the text it was, unquoted; nothing is typed and nothing means "missing" here. A ragged row (more
or fewer fields than the header) is no reason to stop: it comes back beside the rows, with its line and its text.
"""

import csv
import io
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from resources.sources import SourceError, SourceFile, open_source
from transforms.csv_records import BLOCK_BYTES, Positions, RecordBlock, record_blocks

MAX_COLUMNS = 2_000
MAX_NAME = 255
RESERVED = ("_source_file", "_source_sha256", "_row", "_line", "_partition")
"""Columns that we add."""
UNNAMEABLE = ("Cc", "Cf", "Zl", "Zp")
NO_CHARACTERS = "\ufffe\uffff"
"""Neither these nor control characters and ends of lines can stand in a definition file."""


@dataclass(frozen=True)
class RaggedRow:
    """A record with another number of fields than the header."""

    row: int
    line: int
    expected: int
    actual: int
    text: str


@dataclass(frozen=True)
class CsvBlock:
    """Some rows: text columns, the number of each row in the file (from 1, ragged ones count) and its physical
    line."""

    rows: pa.Table
    numbers: Positions
    lines: Positions
    ragged: list[RaggedRow]


@dataclass(frozen=True)
class CsvTable:
    """An open CSV file."""

    columns: list[str]
    blocks: Iterator[CsvBlock]


@contextmanager
def open_csv(source: SourceFile, block_bytes: int = BLOCK_BYTES) -> Iterator[CsvTable]:
    """Header and blocks of a source file, read as it is needed. SourceError names file and line of what is wrong."""
    where = str(source.path)
    with open_source(source) as stream:
        blocks = record_blocks(stream, where, block_bytes)
        first = next((block for block in blocks if len(block.lines)), None)
        if first is None:
            raise SourceError("Empty file", "the file has no header line.", where=f"{where}:1")
        columns, rest = _header(first, where)
        yield CsvTable(columns, _parsed(columns, rest, blocks, where))


def _header(block: RecordBlock, where: str) -> tuple[list[str], RecordBlock]:
    """Column names, and the block without their record."""
    place = f"{where}:{block.lines[0]}"
    text = io.StringIO(block.content.decode("utf-8"), newline="")
    reader = csv.reader(text, strict=False)
    names: list[str] = []
    while not names:
        names = next(reader)
    _check_header(names, place)
    content = block.content
    newline = -1
    for _ in range(reader.line_num):
        newline = content.find(b"\n", newline + 1)
        if newline < 0:
            newline = len(content)
    return names, replace(block, content=content[newline + 1 :], lines=block.lines[1:])


def _check_header(names: list[str], place: str) -> None:
    if len(names) > MAX_COLUMNS:
        raise SourceError("Too many columns", f"{len(names):,} columns; at most {MAX_COLUMNS:,} are read.", where=place)
    seen: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise SourceError("Empty column name", f"column {number} of the header has no name.", where=place)
        if len(name) > MAX_NAME:
            raise SourceError("Column name too long", f"column {number}: at most {MAX_NAME} characters.", where=place)
        if any(unicodedata.category(one) in UNNAMEABLE or one in NO_CHARACTERS for one in name) or "`" in name:
            raise SourceError(
                "Column name with control characters",
                f"column {number} ({name!r}) holds a control or direction character or a backtick; rename it.",
                where=place,
            )
        if name in RESERVED:
            raise SourceError(
                "Reserved column name", f"column {number}, {name!r}, is a name of ours; rename it.", where=place
            )
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            same = (
                "twice" if seen[folded] == name else f"as {seen[folded]!r} and as {name!r}, which differ in case only"
            )
            raise SourceError("Duplicate column", f"the header has {name!r} {same}; rename one.", where=place)
        seen[folded] = name
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise SourceError(
            "Not separated by commas",
            f"the header is one column, {names[0][:80]!r}; separate fields by commas.",
            where=place,
        )


def _parsed(columns: list[str], first: RecordBlock, rest: Iterator[RecordBlock], where: str) -> Iterator[CsvBlock]:
    done = 0
    block: RecordBlock | None = first
    while block is not None:
        if len(block.lines):
            yield _parse(columns, block, done, where)
            done += len(block.lines)
        block = next(rest, None)


def _parse(columns: list[str], block: RecordBlock, done: int, where: str) -> CsvBlock:
    rows, ragged = _arrow(columns, block, threads=True)
    if ragged:  # several threads don't say which row it was
        rows, ragged = _arrow(columns, block, threads=False)
    if rows.num_rows + len(ragged) != len(block.lines):
        raise SourceError(
            "Quotes that can't be read",
            f"between the lines {block.lines[0]} and {block.lines[-1]} it is not clear where a row ends; quote fields "
            "that hold quotes, and double the quotes in them.",
            where=f"{where}:{block.lines[0]}",
        )
    numbers = np.arange(1, len(block.lines) + 1, dtype=np.int64)
    spoilt = [
        RaggedRow(
            done + int(bad.number), int(block.lines[bad.number - 1]), bad.expected_columns, bad.actual_columns, bad.text
        )
        for bad in ragged
    ]
    good = np.delete(numbers, [bad.number - 1 for bad in ragged])
    return CsvBlock(rows, good + done, block.lines[good - 1], spoilt)


def _arrow(columns: list[str], block: RecordBlock, *, threads: bool) -> tuple[pa.Table, list[pa_csv.InvalidRow]]:
    ragged: list[pa_csv.InvalidRow] = []

    def keep(row: pa_csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    rows = pa_csv.read_csv(
        pa.BufferReader(block.content),
        read_options=pa_csv.ReadOptions(
            column_names=columns, use_threads=threads, block_size=max(1 << 20, 2 * block.longest)
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=block.quoted, invalid_row_handler=keep),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )
    return rows, ragged
