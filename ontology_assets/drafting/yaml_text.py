"""Pieces of YAML that people read: scalars, labels, remarks."""

import re
import textwrap
from collections.abc import Iterable, Mapping

WIDTH = 120
WORD = re.compile(r"[\w.-]+")


def scalar(text: str) -> str:
    """A scalar that is this text: plain where that is safe in braces too, else in double quotes."""
    plain = text[:1].isalpha() and all(WORD.fullmatch(word) for word in text.split(" "))
    if plain and text.lower() not in ("null", "true", "false"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listed(texts: Iterable[str]) -> str:
    return f"[{', '.join(scalar(text) for text in texts)}]"


def label(names: Mapping[str, str]) -> str:
    """`{en: Book, ko: 책}`."""
    return "{" + ", ".join(f"{language}: {scalar(text)}" for language, text in names.items()) + "}"


def remark(indent: int, text: str) -> list[str]:
    """A comment, in as many lines as it needs."""
    start = " " * indent + "# "
    return textwrap.wrap(
        shown(text), WIDTH, initial_indent=start, subsequent_indent=start, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def shown(text: str) -> str:
    """A text without what would end a comment's line."""
    return "".join(character if character.isprintable() else "?" for character in text)
