"""Controls: the product with one of its protections taken out. The harness must turn red for each, or it proves nothing."""

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from ontology_assets.events import log
from ontology_assets.events.heads import Heads
from resources.object_store import local
from resources.object_store.base import PutOutcome
from resources.object_store.local import LocalObjectStore
from tests.kills.traps import Trap, replace

BETWEEN = "between position and effect"


def no_ids(_: Trap) -> None:
    """Nobody looks whether a command or an event is in the log already."""
    replace(log, already_there=lambda *_: [])
    replace(Heads, known_commands=lambda *_: {}, known_events=lambda *_: {})


def acknowledged_before_it_is_there(_: Trap) -> None:
    work: Any = sys.modules["__main__"]  # tests/kills/work.py
    appended, asked = work.Worker.appended, Counter[str]()

    def early(self: Any, *given: Any) -> None:
        work.say(acked=self.options.first + asked["pieces"])
        asked["pieces"] += 1
        appended(self, *given)

    replace(work.Worker, appended=early)


def records_written_in_place(_: Trap) -> None:
    """No temp file and no link: a record is there from its first byte on."""
    put_if_absent = LocalObjectStore.put_if_absent

    def in_place(self: LocalObjectStore, key: str, data: bytes) -> PutOutcome:
        target = self.root / key
        if not key.startswith("log/") or target.exists():
            return put_if_absent(self, key, data)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb", buffering=0) as out:
            local._write_all(out.fileno(), data)
        return PutOutcome.DONE

    replace(LocalObjectStore, put_if_absent=in_place)


def messages_before_their_position(trap: Trap) -> None:
    """Two transactions: the messages, then how far they are."""
    from resources.topic.sqlite import SqliteProducer

    publish, advance = SqliteProducer.publish, SqliteProducer._advance

    def apart(self: SqliteProducer, messages: Any, **more: Any) -> None:
        moves: list[tuple[Any, ...]] = []
        replace(SqliteProducer, _advance=lambda _, __, *move: moves.append(move))
        publish(self, messages, **more)
        trap.reach(BETWEEN)
        with self._file.writing() as connection:
            advance(self, connection, *moves[0])

    replace(SqliteProducer, publish=apart)


def position_before_its_documents(trap: Trap) -> None:
    """Two transactions the other way round."""
    from resources.read_model.sqlite_writer import SqliteWriter

    write = SqliteWriter.write

    def apart(self: SqliteWriter, changes: Any, epoch: int, *, settle: bool) -> None:
        with self._file.writing() as connection:
            connection.execute("UPDATE state SET position = ?", (changes.position,))
        trap.reach(BETWEEN)
        write(self, changes, epoch, settle=settle)

    replace(SqliteWriter, write=apart)


CONTROLS: dict[str, Callable[[Trap], None]] = {
    one.__name__: one
    for one in (
        no_ids,
        acknowledged_before_it_is_there,
        records_written_in_place,
        messages_before_their_position,
        position_before_its_documents,
    )
}
