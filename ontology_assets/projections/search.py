"""The search projection: documents with the words that a text search finds them by.

Words are made here, not by the engine, so that every engine finds the same: compatibility forms and accents folded
(NFKD without marks), case folded, split at everything that is no letter or digit. Scripts that write without spaces, or
glue endings to words (Hangul, Kana, Han), are also indexed from each later character on, so that a part is found.
"""

import re
import unicodedata

from resources.read_model.query import Cell, TypeLayout, Word

PART_LENGTH = 16
"""Characters of a Hangul, Kana or Han word that are compared."""
_GLUED = "\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_ASCII_GAPS = re.compile(r"[^0-9a-z]+")
_RUNS = re.compile(rf"[{_GLUED}]+|[^\W_{_GLUED}]+")
_GLUED_RUN = re.compile(rf"[{_GLUED}]")


def words_of(layout: TypeLayout, cells: list[list[Cell]]) -> list[str | None]:
    """The words of each object, separated by spaces; None where it has none."""
    searched = []
    at = 0
    for field in layout.fields:
        if field.searched:
            searched.append(cells[at])
        at += field.cells
    joined = (
        searched[0]
        if len(searched) == 1
        else [" ".join(str(v) for v in row if v) for row in zip(*searched, strict=True)]
    )
    known: dict[Cell, str | None] = {text: _indexed(str(text)) if text else None for text in set(joined)}
    return [known[text] for text in joined]


def query_words(text: str) -> tuple[Word, ...]:
    """Words of a search text: whole words, `word*` as a beginning; Hangul, Kana and Han match any part of a word."""
    words: dict[Word, None] = {}
    for piece in text.split():
        runs = _RUNS.findall(_folded(piece))
        for k, run in enumerate(runs):
            if _GLUED_RUN.match(run):
                words[Word(run[:PART_LENGTH], prefix=True)] = None
            else:
                words[Word(run, prefix=k == len(runs) - 1 and piece.endswith("*"))] = None
    return tuple(words)


def _indexed(text: str) -> str | None:
    if text.isascii():
        return _ASCII_GAPS.sub(" ", text.lower()).strip() or None
    words: list[str] = []
    for run in _RUNS.findall(_folded(text)):
        if _GLUED_RUN.match(run):
            words += [run[k : k + PART_LENGTH] for k in range(len(run))]
        else:
            words.append(run)
    return " ".join(words) or None


def _folded(text: str) -> str:
    """NFKD takes Hangul apart as well; NFC puts it together again."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).casefold()
