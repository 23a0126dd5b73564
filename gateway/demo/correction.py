"""A late correction of one source file, in a throw-away copy of a home: one value changed, one row gone, one row new.

Which rows, is said by the domain's `demo.yaml`; where they stand in the file, by the raw table's line numbers.
"""

import csv
import io
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.errors import SpiceError
from resources.home import Home
from resources.lake.local import LocalLake
from transforms.definitions import Dataset

IMMUTABLE = ("lake", "objects")
"""Parts of a home whose files are written once and never altered: a copy shares them by hard links."""
OF_THE_UI = "dev"


@dataclass(frozen=True)
class Correction:
    """What was done to the file, in words, and the partition it belongs to."""

    partition: str
    changed: str
    removed: str
    added: str


def copy_home(source: Home, target: Path) -> Home:
    """Copy a home at rest to `target` (hard links for immutable parts); what stood there is removed.

    Sockets and processes of a UI that serves the home stay behind.
    """
    if target.exists():
        shutil.rmtree(target)
    for entry in sorted(source.root.iterdir()):
        if entry == target or entry.name == OF_THE_UI or entry.name.startswith("demo-"):
            continue
        link = os.link if entry.name in IMMUTABLE else shutil.copy2
        if entry.is_dir():
            shutil.copytree(entry, target / entry.name, symlinks=True, copy_function=link)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(entry, target / entry.name)
    return Home(target)


def correct(home: Home, name: str, dataset: Dataset, spec: Mapping[str, Any]) -> Correction:
    """Rewrite the dataset's file in this home as `spec` says (`change`, `remove`, `add`)."""
    partition = str(spec["partition"])
    rows = LocalLake(home.lake).scan(f"raw/{name}", partitions=[partition]).sort_by("_row").to_pylist()
    change = _pick(rows, spec["change"]["row"], taken=set(), where="correction.change")
    remove = _pick(rows, spec["remove"]["row"], taken={change["_line"]}, where="correction.remove")
    model = _pick(rows, spec["add"]["like"], taken={change["_line"], remove["_line"]}, where="correction.add")
    path = home.sources / (dataset.source.folder if dataset.source else name) / dataset.file
    lines, header = _read_lines(path)
    changed = _row_text({**change, **spec["change"]["set"]}, header)
    added = _row_text({**model, **spec["add"]["set"]}, header)
    lines[change["_line"] - 1] = changed
    lines.append(added)
    del lines[remove["_line"] - 1]
    _write_lines(path, lines)
    return Correction(partition, changed.strip(), _row_text(remove, header).strip(), added.strip())


def _pick(rows: list[dict[str, Any]], wanted: Mapping[str, Any], *, taken: set[int], where: str) -> dict[str, Any]:
    for row in rows:
        if row["_line"] not in taken and all(_fits(row[column], rule) for column, rule in wanted.items()):
            return row
    raise SpiceError("No such row", f"No row of the day fits {dict(wanted)}.", where=where)


def _fits(value: str, rule: Any) -> bool:
    return value != rule["not"] if isinstance(rule, Mapping) else value == str(rule)


def _row_text(row: Mapping[str, str], header: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([row[column] for column in header])
    return out.getvalue()


def _read_lines(path: Path) -> tuple[list[str], list[str]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            text = archive.read(archive.namelist()[0]).decode()
    else:
        text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    return lines, next(csv.reader([lines[0]]))


def _write_lines(path: Path, lines: list[str]) -> None:
    text = "".join(lines)
    part = path.with_name(path.name + ".part")
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            member = archive.namelist()[0]
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(member, text)
    else:
        part.write_text(text, encoding="utf-8")
    part.replace(path)  # a new file: the copy's hard links, if any, keep the old one
