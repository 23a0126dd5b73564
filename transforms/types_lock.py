"""`types.lock`: the inferred type of every column of every dataset, beside the domain file.

Types are inferred once and then kept, so that the next file can't change them silently. Declared types are not in here:
they are laid over it (`column_types`). A column that appears or disappears is an error that says how to accept it.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from resources.errors import SpiceError
from transforms.definitions import Dataset
from transforms.inference import overlay
from transforms.types import ALLOWED_COLUMN_TYPES, parse_type
from transforms.yaml_reading import read_yaml
from transforms.yaml_source import YamlSource, suggestion

FILE_NAME = "types.lock"
FORMAT = 1
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
HEADER = """\
# The types of all columns as they were inferred from the data, once. Written by `spice defs infer`; commit it.
# To give a column another type, declare it in domain.yaml (`types:`), which goes before this file.
"""


@dataclass(frozen=True)
class TypesLock:
    """Locked types: dataset -> column -> type, columns in the order of the file. `path` is where they are kept."""

    path: Path
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class ColumnsChanged(SpiceError):
    """The file's header is not the one whose types are locked."""

    kind = "urn:spice:columns-changed"


def lock_path(domain_path: Path) -> Path:
    """Where the lock of a domain is: beside its file."""
    return (domain_path if domain_path.is_dir() else domain_path.parent) / FILE_NAME


def read_types_lock(path: Path) -> TypesLock:
    """Read a lock; one that is not there is empty. Faults are raised together, with their places."""
    if not path.exists():
        return TypesLock(path)
    source = read_yaml(path)
    data = source.data if isinstance(source.data, dict) else {}
    if data.get("spice") != FORMAT:
        source.fault(("spice",), f"version {data.get('spice')!r} of the lock is not known.", [str(FORMAT)])
    datasets = data.get("datasets")
    if not isinstance(datasets, dict):
        source.fault(("datasets",), "should be a mapping of datasets.")
        datasets = {}
    for name, columns in datasets.items():
        _check_columns(source, name, columns)
    source.raise_faults()
    return TypesLock(path, datasets)


def _check_columns(source: YamlSource, dataset: str, columns: object) -> None:
    if not isinstance(columns, dict):
        source.fault(("datasets", dataset), "should be a mapping `column: type`.")
        return
    for column, text in columns.items():
        try:
            known = isinstance(text, str) and parse_type(text).kind not in ("geopoint", "enum")
        except ValueError:
            known = False
        if not known:
            source.fault(("datasets", dataset, column), f"there is no type '{text}' of a column.", ALLOWED_COLUMN_TYPES)


def write_types_lock(path: Path, types: Mapping[str, Mapping[str, str]]) -> bool:
    """Write the lock if it would change; datasets in the order of their names. Atomic. Returns whether it wrote."""
    text = render(types)
    if path.exists() and path.read_text("utf-8") == text:
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
    return True


def render(types: Mapping[str, Mapping[str, str]]) -> str:
    lines = [HEADER + f"spice: {FORMAT}", "datasets:" if types else "datasets: {}"]
    for dataset in sorted(types):
        lines.append(f"  {dataset}:")
        lines += [f"    {_key(column)}: {_key(kind)}" for column, kind in types[dataset].items()]
    return "\n".join(lines) + "\n"


def _key(text: str) -> str:
    """A YAML scalar: plain where that is safe, else in double quotes (whose escapes are those of JSON)."""
    plain = text.removesuffix("?")
    if (
        plain.isascii()
        and plain.replace("_", "a").isalnum()
        and plain[0].isalpha()
        and plain.lower() not in ("null", "true", "false")
    ):
        return text
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f'"{escaped}"'


def column_types(name: str, dataset: Dataset, locked: Mapping[str, str] | None) -> dict[str, str]:
    """The type of each column of a dataset, in the file's order: declared, else locked.

    Raises ColumnsChanged where nothing is locked yet or a declared column is not among the locked ones.
    """
    if not locked:
        raise ColumnsChanged(
            "Types unknown",
            f"the types of '{name}' are not locked yet; run `spice defs infer` with its file in place.",
            where=f"datasets.{name}",
        )
    for column in dataset.types:
        if column not in locked:
            detail = f"'{column}' is no column of {dataset.file}.{suggestion(column, locked)}"
            raise ColumnsChanged(
                "Unknown column", detail, where=f"datasets.{name}.types.{column}", allowed=list(locked)
            )
    return overlay(locked, dataset.types)


def check_header(dataset: Dataset, header: Sequence[str], locked: Mapping[str, str]) -> None:
    """Raise ColumnsChanged where the file's columns are not the locked ones. Their order may change."""
    added = [column for column in header if column not in locked]
    gone = [column for column in locked if column not in header]
    if not added and not gone:
        return
    parts = [f"new: {', '.join(added)}"] if added else []
    parts += [f"gone: {', '.join(gone)}"] if gone else []
    raise ColumnsChanged(
        "Columns changed",
        f"the columns of {dataset.file} are not those of {FILE_NAME} ({'; '.join(parts)}). Mend the file, or accept "
        "them with `spice defs infer --anew`.",
        where=f"{dataset.file}:1",
        allowed=list(locked),
    )
