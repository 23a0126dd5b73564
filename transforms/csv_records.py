"""Cutting a CSV stream into blocks of whole records, with the physical line of each record.

RFC 4180 with commas: a quoted field may hold line ends and doubled quotes; a quote inside an unquoted field is a
plain character (as Arrow's parser has it). Lines end with LF or CRLF; empty lines are no records. Memory is that of
one block. What the fields mean is in `transforms.csv_source`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resources.sources import ByteStream, SourceError

BLOCK_BYTES = 8 << 20
MAX_RECORD_BYTES = 16 << 20
LF, CR, QUOTE, COMMA = 10, 13, 34, 44
BOM = b"\xef\xbb\xbf"
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RecordBlock:
    """Whole records. `lines[i]` is the physical line (from 1) on which the i-th record that is not empty starts;
    `next_line` is the one after the block."""

    content: bytes
    lines: Positions
    quoted: bool
    longest: int
    next_line: int


def record_blocks(stream: ByteStream, where: str, block_bytes: int = BLOCK_BYTES) -> Iterator[RecordBlock]:
    """Blocks of about `block_bytes`. SourceError for what is no UTF-8 CSV, with its line."""
    carry, line, at_start = b"", 1, True
    while True:
        piece = _read(stream, block_bytes)
        buffer = carry + piece
        if at_start:
            buffer, at_start = _without_mark(buffer, where), False
        final = not piece
        if not buffer:
            return
        block, used = _cut(buffer, line, where, final=final)
        if block is not None:
            _check_text(block.content, line, where)
            yield block
            line = block.next_line
        carry = buffer[used:]
        if final:
            return


def _read(stream: ByteStream, size: int) -> bytes:
    pieces, left = [], size
    while left > 0 and (piece := stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _without_mark(buffer: bytes, where: str) -> bytes:
    if buffer[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SourceError("Not UTF-8", "the file is UTF-16; save it as UTF-8.", where=f"{where}:1")
    return buffer.removeprefix(BOM)


def _cut(buffer: bytes, line: int, where: str, *, final: bool) -> tuple[RecordBlock | None, int]:
    """The whole records at the start of `buffer` and how many bytes they are."""
    data = np.frombuffer(buffer, np.uint8)
    newlines = np.flatnonzero(data == LF)
    toggles = _quote_toggles(data) if b'"' in buffer else np.zeros(0, np.int64)
    is_end = (np.searchsorted(toggles, newlines) & 1) == 0 if len(toggles) else np.ones(len(newlines), bool)
    ordinals = np.flatnonzero(is_end)  # of the newlines that end a record
    ends = newlines[ordinals] + 1
    if final:
        if len(toggles) & 1:
            opened = line + int(np.searchsorted(newlines, toggles[-1]))
            raise SourceError("Quote not closed", "a quote is opened here and never closed.", where=f"{where}:{opened}")
        if len(ends) == 0 or ends[-1] != len(buffer):
            ends = np.append(ends, len(buffer))
            ordinals = np.append(ordinals, len(newlines))
    elif len(ends) == 0:
        if len(buffer) > MAX_RECORD_BYTES:
            raise SourceError(
                "Record too long",
                f"no line end within {MAX_RECORD_BYTES:,} bytes; is a quote opened here and not closed, "
                "or does the file end its lines with CR alone?",
                where=f"{where}:{line}",
            )
        return None, 0
    used = int(ends[-1])
    starts = np.concatenate(([0], ends[:-1]))
    lines = line + np.concatenate(([0], ordinals[:-1] + 1))
    lengths = ends - starts
    first = data[starts]
    empty = ((lengths == 1) & (first == LF)) | ((lengths == 2) & (first == CR)) | ((lengths == 1) & (first == CR))
    if b"\r" in buffer:
        _check_line_ends(data[:used], newlines, toggles, line, where)
    content = buffer if used == len(buffer) else buffer[:used]
    newline_count = int(np.searchsorted(newlines, used))
    block = RecordBlock(
        content, lines[~empty].astype(np.int64), len(toggles) > 0, int(lengths.max()), line + newline_count
    )
    return block, used


def _quote_toggles(data: npt.NDArray[np.uint8]) -> Positions:
    """Positions at which "inside quotes" turns on or off."""
    quotes = np.flatnonzero(data == QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, data[opening - 1], LF)
    after = data[np.minimum(closing + 1, len(data) - 1)]
    at_end = closing == len(data) - 1
    if np.isin(before, (COMMA, LF, QUOTE)).all() and (np.isin(after, (COMMA, LF, CR, QUOTE)) | at_end).all():
        return quotes
    return _toggles_one_by_one(data, quotes)


def _toggles_one_by_one(data: npt.NDArray[np.uint8], quotes: Positions) -> Positions:
    """The same where quotes stand inside unquoted fields: such a quote is a plain character."""
    toggles: list[int] = []
    inside, escaped = False, -1
    size = len(data)
    for position in quotes.tolist():
        if position == escaped:
            continue
        if not inside:
            if position == 0 or data[position - 1] in (COMMA, LF):
                inside = True
                toggles.append(position)
        elif position + 1 < size and data[position + 1] == QUOTE:
            escaped = position + 1
        else:
            inside = False
            toggles.append(position)
    return np.array(toggles, np.int64)


def _check_line_ends(
    data: npt.NDArray[np.uint8], newlines: Positions, toggles: Positions, line: int, where: str
) -> None:
    returns = np.flatnonzero(data == CR)
    alone = returns[(returns + 1 >= len(data)) | (data[np.minimum(returns + 1, len(data) - 1)] != LF)]
    outside = alone[(np.searchsorted(toggles, alone) & 1) == 0]
    if len(outside):
        at = line + int(np.searchsorted(newlines, outside[0]))
        raise SourceError(
            "Line ends by CR alone", "lines must end with LF or CRLF; save the file again.", where=f"{where}:{at}"
        )


def _check_text(content: bytes, line: int, where: str) -> None:
    nul = content.find(b"\0")
    if nul >= 0:
        at = line + content.count(b"\n", 0, nul)
        raise SourceError(
            "NUL byte",
            "the file is no text in UTF-8 (is it UTF-16, or packed?); save it as UTF-8.",
            where=f"{where}:{at}",
        )
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        at = line + content.count(b"\n", 0, error.start)
        wrong = content[error.start : error.start + 4].hex(" ")
        raise SourceError(
            "Not UTF-8", f"the bytes {wrong} are no UTF-8; save the file as UTF-8.", where=f"{where}:{at}"
        ) from error
