"""Source files: what people (or installed packages) put below `<home>/sources/<folder>/`, only ever read by the
product.

Finding a file, opening it as a stream of bytes (unpacked where it is a zip of one file) and saying what is wrong with
it are here; what the bytes mean is in `transforms.csv_source`.
"""

import hashlib
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Protocol

from resources.errors import SpiceError

MAX_UNPACKED_BYTES = 64 * 2**30
"""A zip that claims to unpack to more is refused; so is one that unpacks to more than it claims."""
MAX_RATIO = 200
"""Highest plausible ratio of unpacked to packed bytes of a table (real ones have 3 to 20, zip bombs 1,000 and
more)."""
READ_BYTES = 1 << 20


class SourceError(SpiceError):
    """A source file that can't be read as what it should be. `where` is `file` or `file:line`."""

    kind = "urn:spice:source-error"


class ByteStream(Protocol):
    """Something to read bytes from; b"" is its end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class SourceFile:
    """A file that is there: its path, its size on disk and the sha256 of its bytes as they lie there."""

    path: Path
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        return self.path.name


def find_source(sources: Path, folder: str, file: str) -> SourceFile:
    """The file `<sources>/<folder>/<file>`. SourceError names the place and lists what is there instead."""
    path = sources / folder / file
    root = (sources / folder).resolve()
    if not path.is_file():
        there = (
            sorted(entry.name for entry in root.iterdir() if entry.is_file() and entry.name[0] != ".")
            if root.is_dir()
            else []
        )
        detail = "there is no such file in the source folder" if root.is_dir() else "the source folder is not there"
        advice = "" if there else "; put the file there (`spice sources fill` copies the samples that a package ships)"
        raise SourceError(
            "Source file missing", f"{detail}{advice}.", where=str(path), allowed=there or None, status=404
        )
    if path.resolve().parent != root:
        raise SourceError("Source file outside its folder", f"it is a link to {path.resolve()}.", where=str(path))
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
            size += len(block)
    if size == 0:
        raise SourceError("Empty file", "the file has no bytes; a header line at least is needed.", where=str(path))
    return SourceFile(path, size, digest.hexdigest())


@contextmanager
def open_source(source: SourceFile) -> Iterator[ByteStream]:
    """The file's content as a stream; the one member of a zip is unpacked on the way."""
    if source.path.suffix.lower() != ".zip":
        with source.path.open("rb") as plain:
            yield plain
        return
    where = str(source.path)
    try:
        with zipfile.ZipFile(source.path) as archive:
            member = _only_member(archive, where)
            with archive.open(member) as stream:
                yield _Bounded(stream, member.file_size, where)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError) as error:
        raise SourceError(
            "Damaged zip", f"the file is not a whole zip ({error}); copy it again from its source.", where=where
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise SourceError("Unreadable zip", f"{error}; pack it again without encryption.", where=where) from error


def _only_member(archive: zipfile.ZipFile, where: str) -> zipfile.ZipInfo:
    members = [entry for entry in archive.infolist() if not entry.is_dir()]
    names = [entry.filename for entry in members]
    if len(members) != 1:
        raise SourceError(
            "Not one file in the zip",
            f"a zip must hold exactly one file, this one holds {len(members)}.",
            where=where,
            allowed=names[:20] or None,
        )
    member = members[0]
    if (
        member.file_size > MAX_UNPACKED_BYTES
        or member.file_size > MAX_RATIO * max(member.compress_size, 1) + READ_BYTES
    ):
        raise SourceError(
            "Zip unpacks to too much",
            f"{member.filename} claims {member.file_size:,} bytes from {member.compress_size:,} packed ones "
            f"(at most {MAX_RATIO} times as much and {MAX_UNPACKED_BYTES:,} are read).",
            where=where,
        )
    return member


class _Bounded:
    """A stream that refuses to give more bytes than were announced."""

    def __init__(self, stream: ByteStream, announced: int, where: str) -> None:
        self._stream, self._left, self._where = stream, announced, where

    def read(self, size: int, /) -> bytes:
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise SourceError("Zip unpacks to too much", "it holds more bytes than it announces.", where=self._where)
        return block


def fill_from_package(sources: Path, folder: str, package: str) -> list[Path]:
    """Copy the files of an installed distribution's folder (`distribution:folder`) into `<sources>/<folder>/`.

    Files that are there already stay as they are: they may have been changed on purpose. The package is never
    imported. Returns what was copied.
    """
    distribution, _, inside = package.partition(":")
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError as error:
        raise SourceError(
            "Package missing",
            f"the Python package {distribution} is not installed, and its files are not in {sources / folder}; "
            "install it or put the files there.",
            where=package,
            status=404,
        ) from error
    wanted = Path(inside).parts
    found = [
        file for file in files if file.parent.parts[-len(wanted) :] == wanted and file.suffix not in {".py", ".pyc"}
    ]
    if not found:
        folders = sorted({str(file.parent) for file in files if file.suffix not in {".py", ".pyc"}})
        raise SourceError("Folder missing in package", "it holds no such folder.", where=package, allowed=folders[:20])
    target = sources / folder
    target.mkdir(parents=True, exist_ok=True)
    copied = []
    for file in found:
        destination = target / file.name
        if destination.exists():
            continue
        partial = target / f".{file.name}.partial"
        shutil.copyfile(str(file.locate()), partial)
        partial.replace(destination)
        copied.append(destination)
    return copied
