"""Names that definitions may have, from what files and columns are called: `Order ID` -> `order_id`, `orders.csv` ->
`Order`; and what people read, from the same: `order_id` -> `Order ID`.

Pure, and good enough to start with: every name may be edited.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ontology_assets.drafting.romanization import has_hangul, romanized
from ontology_assets.model.definitions import Label

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
LONGEST = 63
LONGEST_LABEL = 200
WORD_END = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
SIGNS = {"%": " percent ", "#": " number ", "&": " and ", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d"}
ACRONYMS = frozenset({"id", "isbn", "issn", "sku", "url", "uuid", "vat", "iban", "zip", "gps"})
IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "feet": "foot",
    "movies": "movie", "cookies": "cookie", "series": "series", "species": "species", "news": "news",
    "statuses": "status", "buses": "bus", "viruses": "virus", "campuses": "campus", "analyses": "analysis",
    "lives": "life", "wives": "wife", "knives": "knife", "leaves": "leaf", "shelves": "shelf", "halves": "half",
    "quizzes": "quiz", "indices": "index", "matrices": "matrix",
}  # fmt: skip


def snake(text: str, *, empty: str, prefix: str) -> str:
    """A name in lower case with `_`, in ASCII: `empty` where no letter or digit is left, `prefix` before a digit."""
    if NAME.fullmatch(text):
        return text
    text = "".join(SIGNS.get(character, character) for character in romanized(unicodedata.normalize("NFC", text)))
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = "".join(SIGNS.get(character, character) for character in text)
    text = re.sub(r"[^A-Za-z0-9]+", "_", WORD_END.sub("_", text)).strip("_").lower()
    if not text:
        return empty
    if text[0].isdigit():
        text = f"{prefix}_{text}"
    return text[:LONGEST].rstrip("_")


def apart(name: str, taken: Iterable[str], *, joint: str = "_") -> str:
    """The name, with a number behind it where it is taken."""
    taken = set(taken)
    number, found = 2, name
    while found in taken:
        ending = f"{joint}{number}"
        found, number = name[: LONGEST - len(ending)] + ending, number + 1
    return found


def property_names(columns: Sequence[str]) -> dict[str, str]:
    """A property name of its own for every column. A column whose name is one keeps it."""
    names = {column: column for column in columns if NAME.fullmatch(column)}
    for number, column in enumerate(columns, 1):
        if column not in names:
            names[column] = apart(snake(column, empty=f"column_{number}", prefix="n"), names.values())
    return {column: names[column] for column in columns}


def dataset_name(stem: str) -> str:
    """`Order Lines (2024)` -> `order_lines_2024`."""
    return snake(stem, empty="data", prefix="data")


def type_name(dataset: str) -> str:
    """`order_lines` -> `OrderLine`, `sales_2024` -> `Sale2024`."""
    words = [word for word in dataset.split("_") if word]
    last = max((i for i, word in enumerate(words) if word.isalpha()), default=None)
    if last is not None:
        words[last] = singular(words[last])
    return "".join(word[0].upper() + word[1:] for word in words)[:LONGEST]


def singular(word: str) -> str:
    """The singular of an English plural, as far as endings tell."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    return word[:-1]


def plural(word: str) -> str:
    """A plural for the way back of a link: `loan` -> `loans`, `category` -> `categories`."""
    for many, one in IRREGULAR.items():
        if one == word:
            return many
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s")


def label_of(text: str) -> Label:
    """Names for people: `en`, and `ko` where the text is Korean already."""
    shown = " ".join(text.split()) or "?"
    if re.fullmatch(r"[A-Za-z0-9_]+", shown):
        words = [word for word in WORD_END.sub("_", shown).split("_") if word]
        words = [word.upper() if word.lower() in ACRONYMS else _lowered(word) for word in words]
        shown = " ".join(words) or shown
        shown = shown[0].upper() + shown[1:]
    shown = shown[:LONGEST_LABEL]
    return {"en": shown, "ko": shown} if has_hangul(shown) else {"en": shown}


def _lowered(word: str) -> str:
    """A word in lower case, an abbreviation as it is."""
    return word if word.isupper() and len(word) > 1 else word.lower()
