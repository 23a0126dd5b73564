"""The files that `spice init` is given: read block by block for their profile, and copied into the home's sources.

What is wrong with a file is said as ingest says it, with file and line.
"""

import filecmp
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ontology_assets.drafting.names import apart, snake
from resources.errors import SpiceError
from resources.home import Home
from resources.sources import SourceError, SourceFile, find_source
from transforms.csv_source import open_csv
from transforms.profile import TableProfile, TableProfiler

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,254}")
"""As `transforms.definitions.Dataset.file` has it."""
ENDINGS = (".csv.zip", ".csv", ".zip", ".txt")
SPREADSHEET = "it is a spreadsheet; save the sheet as CSV (comma delimited, UTF-8)."
NO_CSV = {
    ".xlsx": SPREADSHEET,
    ".xls": SPREADSHEET,
    ".ods": SPREADSHEET,
    ".gz": "it is packed by gzip; unpack it, or pack the file as .zip.",
    ".parquet": "it is a Parquet file; write it out as CSV.",
}
OnProgress = Callable[[Path, int, int], None]
"""Told now and then: file, rows read so far, bytes of the file so far (at least 0; a zip's are not known)."""


@dataclass
class GivenFile:
    """A file as it was named on the command line, and the name that it gets in the sources."""

    path: Path
    source: SourceFile
    target: str
    ragged: int = 0
    first_ragged: int = 0
    profile: TableProfile = field(init=False)

    @property
    def stem(self) -> str:
        lower = self.path.name.lower()
        ending = next((ending for ending in ENDINGS if lower.endswith(ending)), "")
        return self.path.name[: len(self.path.name) - len(ending)]

    def batches(self, on_progress: OnProgress, rows: int = 0) -> Iterator[pa.Table]:
        """The rows that fit the header; `ragged` counts the others."""
        done = 0
        self.ragged = self.first_ragged = 0
        with open_csv(self.source) as table:
            for block in table.blocks:
                if block.ragged and not self.ragged:
                    self.first_ragged = block.ragged[0].line
                self.ragged += len(block.ragged)
                rows += block.rows.num_rows
                done += _bytes(block.rows)
                yield block.rows
                on_progress(self.path, rows, done)

    def read(self, on_progress: OnProgress) -> None:
        """Find the profile. SourceError where the file can't be read or has no rows."""
        with open_csv(self.source) as table:
            profiler = TableProfiler(table.columns)
        for rows in self.batches(on_progress):
            profiler.see(rows)
        if profiler.rows == 0:
            where = f"{self.path}:{self.first_ragged or 1}"
            if self.ragged:
                detail = (
                    f"the header has {len(profiler.columns)} fields, and none of the {self.ragged:,} rows below it has "
                    "as many; are the fields separated by commas, and is the first line the header?"
                )
                raise SourceError("No row fits the header", detail, where=where)
            raise SourceError(
                "No rows", "the file is a header only; types and keys are found in rows, so put some in.", where=where
            )
        self.profile = profiler.profile()


def given_files(paths: Sequence[Path]) -> list[GivenFile]:
    """The files, each with a name of its own in the sources. SpiceError for one that is missing or named twice."""
    found: list[GivenFile] = []
    for path in paths:
        if not path.is_file():
            beside = sorted(path.parent.glob("*.csv*")) if path.parent.is_dir() else []
            detail = "it is a folder; name the files in it" if path.is_dir() else "there is no such file"
            inside = sorted(path.glob("*.csv*")) if path.is_dir() else beside
            allowed = [str(one) for one in inside[:20]]
            raise SourceError("Source file missing", f"{detail}.", where=str(path), allowed=allowed or None, status=404)
        if path.suffix.lower() in NO_CSV:
            raise SourceError("Not a CSV file", NO_CSV[path.suffix.lower()], where=str(path), allowed=["CSV in UTF-8"])
        real = path.resolve()
        if any(one.source.path == real for one in found):
            raise SpiceError("File named twice", "name each file once.", where=str(path))
        source = find_source(real.parent.parent, real.parent.name, real.name)
        target = apart_file(path.name, [one.target for one in found])
        found.append(GivenFile(path, source, target))
    return found


def apart_file(name: str, taken: Sequence[str]) -> str:
    """A name that a definition may have: the file's own where that is possible."""
    suffix = "".join(Path(name).suffixes[-2:]) if name.lower().endswith(".zip") else Path(name).suffix
    if not FILE_NAME.fullmatch(name):
        suffix = suffix if FILE_NAME.fullmatch(f"a{suffix}") else ".csv"
        name = snake(name.removesuffix(suffix), empty="data", prefix="data") + suffix
    if name not in taken:
        return name
    stem = name.removesuffix(suffix)
    return apart(stem, [one.removesuffix(suffix) for one in taken]) + suffix


def check_free(home: Home, domain: str, files: Sequence[GivenFile]) -> None:
    """Raises SpiceError where another file has one of the names in the sources."""
    for one in files:
        target = home.sources / domain / one.target
        if target.exists() and not filecmp.cmp(one.source.path, target, shallow=False):
            raise SpiceError(
                "File exists",
                f"another file of this name is in the sources of {domain}, and is not overwritten; give yours another "
                "name, or remove that one.",
                where=str(target),
                status=409,
            )


def copy_files(home: Home, domain: str, files: Sequence[GivenFile]) -> list[Path]:
    """Copy the files to `<home>/sources/<domain>/`, where they are not there already."""
    folder = home.sources / domain
    folder.mkdir(parents=True, exist_ok=True)
    copied = []
    for one in files:
        target = folder / one.target
        if not target.exists():
            partial = folder / f".{one.target}.partial"
            shutil.copyfile(one.source.path, partial)
            partial.replace(target)
            copied.append(target)
    return copied


def _bytes(rows: pa.Table) -> int:
    """About how many bytes of the file these rows were: their texts, and a sign after each."""
    cells: int = rows.num_rows * rows.num_columns
    return max(0, int(rows.nbytes) - 4 * cells) + cells
