"""The records of the embedded catalog: which version of each table a branch means, kept as chains of small objects.

A branch's chain is `refs/<name>/<n>`, n dense from 0; its newest record is the pointer. A commit is one put-if-absent
of record n+1: the compare-and-set, durable when it returns, and whole or not there whatever dies meanwhile. An outcome
that is not known is settled by reading the record, which carries the id of who wrote it. `refs/main` holds promotions:
one that is begun, then one that is done.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from resources.errors import SpiceError
from resources.object_store.base import ObjectNotFound, ObjectStore, PutOutcome

REFS = "refs"
DIGITS = 8


@dataclass(frozen=True)
class TableRef:
    """A table at a version: its folder below the lake's root, the number of the Delta commit, and that file's sha256,
    by which a table that was made anew is not taken for the one before."""

    folder: str
    version: int
    digest: str


Tables = Mapping[str, TableRef]


@dataclass(frozen=True)
class Record:
    """One state of a branch (or of main's promotions). `fork`: what the branch is compared with when it is promoted."""

    number: int
    branch: str
    """Id of the branch: a name that is used again is another branch."""
    step: str
    tables: Tables = field(default_factory=dict)
    fork: Tables = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_at: str = ""
    promoted: str = ""
    writer: str = ""

    @property
    def id(self) -> str:
        return hashlib.sha256(self.content()).hexdigest()

    @property
    def dropped(self) -> bool:
        return self.step == "drop"

    def changed(self) -> list[str]:
        """Tables that are not as they were at the fork."""
        return sorted(
            name for name in self.tables.keys() | self.fork.keys() if self.tables.get(name) != self.fork.get(name)
        )

    def next(self, step: str) -> "Record":
        """The state after it, the same but for what `replace` changes."""
        return replace(self, number=self.number + 1, step=step, writer=uuid.uuid4().hex)

    def content(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def of(cls, data: bytes, place: str) -> "Record":
        try:
            said = json.loads(data)
            tables, fork = ({k: TableRef(**v) for k, v in said[name].items()} for name in ("tables", "fork"))
            return cls(**{**said, "tables": tables, "fork": fork})
        except (ValueError, KeyError, TypeError) as error:
            raise SpiceError(
                "Catalog damaged",
                f"this record can't be read ({error}). Nothing was guessed. Main's tables are not touched by it: "
                "remove the folder of this record to forget the branch.",
                where=place,
                status=500,
            ) from error


class Catalog:
    """The chains, on an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def names(self) -> list[str]:
        """Every name that has a chain, that of a dropped branch too."""
        return sorted({key.split("/")[1] for key in self.store.list(f"{REFS}/")})

    def newest(self, name: str) -> Record | None:
        """The newest record of a chain; None where there is none."""
        keys = list(self.store.list(f"{REFS}/{name}/"))
        return Record.of(self.store.get(keys[-1]), keys[-1]) if keys else None

    def records(self) -> Iterator[tuple[str, Record]]:
        """The newest record of every chain."""
        for name in self.names():
            found = self.newest(name)
            if found is not None:
                yield name, found

    def put(self, name: str, record: Record) -> bool:
        """Make the record its chain's newest; False where another one of its number is there."""
        key = f"{REFS}/{name}/{record.number:0{DIGITS}d}"
        data = record.content()
        try:
            outcome = self.store.put_if_absent(key, data)
        except OSError:
            outcome = PutOutcome.UNKNOWN
        if outcome is PutOutcome.UNKNOWN:
            try:
                outcome = PutOutcome.DONE if self.store.get(key) == data else PutOutcome.EXISTS
            except ObjectNotFound:  # not there: the same record is offered again, nothing else; a fault is raised now
                outcome = self.store.put_if_absent(key, data)
        return outcome is PutOutcome.DONE

    def shorten(self, name: str) -> None:
        """Remove all records of a chain but the newest, whose number is not given again."""
        for key in list(self.store.list(f"{REFS}/{name}/"))[:-1]:
            self.store.delete(key)
