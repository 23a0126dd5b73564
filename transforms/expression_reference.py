"""`docs/expressions.md`: the generated tables of operators and functions.

`python -m transforms.expression_reference docs/expressions.md` writes them anew; a test says when that is needed. A
part stands between `<!-- kind: name -->` and `<!-- end -->`; the rest of the file is written by people.
"""

import re
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import transforms.expressions  # noqa: F401 - enters all functions into their table
from transforms.function_examples import REFUSED_FUNCTIONS, SECTIONS
from transforms.functions import FUNCTIONS

PART = re.compile(r"(<!-- examples: (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refreshed(text: str) -> str:
    """The document with its generated parts written anew."""
    return PART.sub(lambda match: match[1] + part(match["name"]) + match[3], text)


def part(name: str) -> str:
    if name == "refused":
        rows = [f"| `{function}` | {why} |" for function, why in sorted(REFUSED_FUNCTIONS.items())]
        return "\n".join(["| function | why not |", "|---|---|", *rows]) + "\n"
    rows = ["| expression | example | value | |", "|---|---|---|---|"]
    for key, one in SECTIONS[name].items():
        usage = FUNCTIONS[key].usage if key in FUNCTIONS else key
        rows.append(f"| {code(usage)} | {code(one.expression)} | {code(one.value)} | {cell(one.note)} |")
    return "\n".join(rows) + "\n"


def code(text: str) -> str:
    return f"`{cell(text)}`"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def spoken(value: object) -> str:  # noqa: PLR0911 - an exit for each type
    """A value as the tables show it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, dict):
        return f"({value['lat']!r}, {value['lon']!r})"
    return repr(value) if isinstance(value, float) else f"{value:f}" if isinstance(value, Decimal) else str(value)


def main(paths: list[str]) -> None:
    for path in map(Path, paths):
        path.write_text(refreshed(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
