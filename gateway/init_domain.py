"""`spice init`: from files to the first definition of a domain, checked before anything of it is written."""

import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.domains import DEFS, domains
from gateway.init_files import GivenFile, OnProgress, check_free, copy_files
from ontology_assets.drafting.document import domain_document, locked_types
from ontology_assets.drafting.draft import Draft, draft
from ontology_assets.drafting.keys import FoundKey, pair_key, pairs_to_try, single_key
from ontology_assets.drafting.links import pairs_to_measure
from ontology_assets.drafting.names import apart, dataset_name, snake, type_name
from ontology_assets.drafting.tables import SourceTable
from ontology_assets.model.layout import asset_names, check_together
from ontology_assets.model.loading import FILE_NAME, load_domain
from resources.errors import SpiceError
from resources.home import PROJECT_ROOT, Home
from transforms.column_pairs import Pair, PairValues, measure_pairs
from transforms.types_lock import FILE_NAME as LOCK_NAME
from transforms.types_lock import write_types_lock

DOMAIN_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
JOBS_OF_OURS = re.compile(r"follow_.*|housekeeping")
"""A domain's job has its name; these jobs are there already."""
COMPONENT = "type: orchestration.components.domain.Domain\n"


@dataclass(frozen=True)
class FirstDefinition:
    """What would be (or was) written: the folder, the files in it by name, and the draft that they say."""

    folder: Path
    files: dict[str, str]
    draft: Draft


def check_name(name: str) -> None:
    """Raises SpiceError for a name that a domain can't have, or that one has already."""
    if not DOMAIN_NAME.fullmatch(name):
        proposal = snake(name, empty="my_domain", prefix="d")
        raise SpiceError(
            "Not a name for a domain",
            f"'{name}' can't be one; write for example {proposal}",
            where="NAME",
            allowed=["lower-case letters, digits and _, beginning with a letter, at most 63"],
        )
    if JOBS_OF_OURS.fullmatch(name):
        raise SpiceError("Name taken", f"a job of ours is called '{name}'; give the domain another name.", where="NAME")


def check_new(name: str) -> None:
    """Raises SpiceError for a domain that is there already."""
    folder = DEFS / name
    if folder.exists():
        raise SpiceError(
            "Domain exists",
            f"nothing was changed. Edit {shown(folder / FILE_NAME)} (a new file is a new entry under `datasets`; "
            f"`--dry-run` prints a draft of it), or choose another name, or remove the folder to start again.",
            where=shown(folder),
            status=409,
        )
    for other in domains():
        if other.name == name:
            raise SpiceError("Domain exists", f"another folder defines the domain '{name}' already.", where="NAME")


def first_definition(domain: str, files: Sequence[GivenFile], on_progress: OnProgress) -> FirstDefinition:
    """Read the files and draft the domain. The draft loads, also beside the other domains."""
    for one in files:
        one.read(on_progress)
    tables = named_tables(domain, files)
    keys: dict[str, FoundKey] = {}
    pairs: dict[str, dict[Pair, PairValues]] = {}
    for table, file in zip(tables, files, strict=True):
        keys[table.dataset] = single_key(table)
        if not keys[table.dataset].columns and (wanted := pairs_to_try(table)):
            pairs[table.dataset] = measure_pairs(file.batches(on_progress), wanted, nulls=table.profile.nulls)
            keys[table.dataset] = pair_key(pairs[table.dataset])
    wanted_by = pairs_to_measure(tables, keys)
    for table, file in zip(tables, files, strict=True):
        known = pairs.get(table.dataset, {})
        missing = [pair for pair in wanted_by.get(table.dataset, []) if pair not in known]
        if missing:
            found = measure_pairs(file.batches(on_progress), missing, nulls=table.profile.nulls)
            pairs[table.dataset] = {**known, **found}
    ragged = {
        table.dataset: (file.ragged, file.first_ragged)
        for table, file in zip(tables, files, strict=True)
        if file.ragged
    }
    made = draft(domain, tables, keys, pairs, ragged)
    text = domain_document(made)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / FILE_NAME).write_text(text, "utf-8")
        write_types_lock(Path(scratch) / LOCK_NAME, locked_types(made))
        loaded = load_domain(Path(scratch))
        lock = (Path(scratch) / LOCK_NAME).read_text("utf-8")
    check_together([*(other for other in domains() if other.name != domain), loaded])
    return FirstDefinition(DEFS / domain, {"defs.yaml": COMPONENT, FILE_NAME: text, LOCK_NAME: lock}, made)


def named_tables(domain: str, files: Sequence[GivenFile]) -> list[SourceTable]:
    """A dataset and a type for each file; with the domain's name before it where another domain has that name."""
    taken = {asset for other in domains() if other.name != domain for asset in asset_names(other)}
    tables: list[SourceTable] = []
    for file in files:
        wanted = dataset_name(file.stem)
        dataset = apart(
            wanted if f"raw/{wanted}" not in taken else f"{domain}_{wanted}"[:63],
            {table.dataset for table in tables} | _names(taken, "raw/"),
        )
        kind = short = type_name(wanted)
        if f"ontology/{_snake(kind)}/objects" in taken:
            kind = (type_name(domain) + kind)[:63]
        mine = {_snake(table.type_name) for table in tables} | _names(taken, "ontology/")
        number, tried = 2, kind
        while _snake(tried) in mine:
            tried, number = f"{kind[:60]}{number}", number + 1
        noun = snake(short, empty="thing", prefix="n")
        renamed = dataset.removeprefix(f"{domain}_") == wanted != dataset or not tried.startswith(short)
        tables.append(SourceTable(file.path.name, file.stem, file.target, dataset, noun, tried, renamed, file.profile))
    return tables


def write_definition(definition: FirstDefinition, home: Home, files: Sequence[GivenFile]) -> list[Path]:
    """Copy the files, then put the folder in its place as a whole. Returns what was copied."""
    check_free(home, definition.folder.name, files)
    copied = copy_files(home, definition.folder.name, files)
    with tempfile.TemporaryDirectory(prefix=".init-", dir=DEFS.parent) as scratch:
        made = Path(scratch) / definition.folder.name
        made.mkdir()
        for name, text in definition.files.items():
            (made / name).write_text(text, "utf-8")
        made.replace(definition.folder)
    return copied


def shown(path: Path) -> str:
    """A path as short as it can be said from the project's folder."""
    return str(path.relative_to(PROJECT_ROOT)) if path.is_relative_to(PROJECT_ROOT) else str(path)


def _names(assets: Collection[str], layer: str) -> set[str]:
    return {asset.split("/")[1] for asset in assets if asset.startswith(layer)}


def _snake(kind: str) -> str:
    """As `ObjectType.snake`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in kind).lstrip("_")
