"""After a run: what is left is proved as `spice events verify` and `spice projection verify` would, the read model is
made again from the log, and in some runs a record is damaged, which must stop everybody who comes by, with its number.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from ontology_assets.events.errors import LogDamaged
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.record import Record, decode, encode
from ontology_assets.events.verify import verify
from ontology_assets.projections.search import words_of
from ontology_assets.projections.sinks import ProjectionSink
from resources.read_model.sqlite_search import SEARCH
from resources.read_model.sqlite_writer import SqliteWriter
from tests.simulator.checks import PREFIX, Checks
from tests.simulator.clock import START
from tests.simulator.domain import DOMAIN, LAYOUT
from tests.simulator.faults import DAMAGE_FAULTS
from tests.simulator.fold import compare
from tests.simulator.store import Stored
from tests.simulator.truth import Violation
from tests.simulator.world import World

if TYPE_CHECKING:
    from tests.simulator.workload import Workload

_VERIFIED = 0.2
_REBUILT = 0.5
_DAMAGED = 0.4


def coda(world: World, checks: Checks, workload: "Workload") -> None:
    """Raises Violation."""
    checks.all_acked()
    log = EventLog(workload.store(world), DOMAIN, history=workload.history())
    r = world.random
    if not checks.truth.events:
        return
    live = _sink(world, "search", log)
    try:
        proof = live.proof()
        if proof.kept != proof.recomputed:
            raise Violation("I14 digest", f"kept {proof.kept}, recomputed {proof.recomputed} at {proof.position}")
        if r.random() < _REBUILT:
            _rebuild(world, checks, log, live)
    finally:
        live.close()
    if r.random() < _VERIFIED:
        heads = Heads(world.folder / "verified.sqlite", log)
        report = verify(log, heads)
        heads.close()
        if not report.ok:
            failed = [f"{check.name}: {check.failures[:2]}" for check in report.checks if not check.ok]
            raise Violation("I3 verify", f"the log's own proof fails: {failed}")
    if r.random() < _DAMAGED:
        _damage(world, checks, workload)


def _sink(world: World, name: str, log: EventLog) -> ProjectionSink:
    return ProjectionSink(
        "search", SqliteWriter(world.folder / f"{name}.sqlite", LAYOUT, SEARCH), LAYOUT, words_of, log
    )


def _rebuild(world: World, checks: Checks, log: EventLog, live: ProjectionSink) -> None:
    """I16: the same log gives the same digest in batches of another size."""
    again = _sink(world, "again", log)
    try:
        again.claim(1)
        for batch in log.events(batch_rows=world.random.choice([3, 10, 1000])):
            again.apply(batch, 1)
        if again.digest() != live.digest():
            raise Violation("I16 replay = live", f"replayed {again.digest()}, live {live.digest()}")
        if [(p.aggregate_id, p.position) for p in again.parked()] != [
            (p.aggregate_id, p.position) for p in live.parked()
        ]:
            raise Violation("I18 parked is what has to be", "a replay parks other objects than the live follower")
        _words(again, checks)
    finally:
        again.close()


def _words(sink: ProjectionSink, checks: Checks) -> None:
    """I15: the index of words finds each object as often as it is there, once."""
    connection = sink.writer._connection()  # type: ignore[attr-defined]
    for no, _ in connection.execute("SELECT no, type FROM types WHERE settled = 1").fetchall():
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"f{no}",)).fetchone():
            held = connection.execute(f"SELECT rid, words FROM t{no} WHERE words IS NOT NULL").fetchall()
            for rid, words in held:
                word = words.split()[0]
                found = connection.execute(f"SELECT rowid FROM f{no} WHERE f{no} MATCH ?", (f'"{word}"',)).fetchall()
                if (rid,) not in found or len(found) != len(set(found)):
                    raise Violation("I15 one effect", f"the index of words gives {found} for {word!r} of row {rid}")
    compare(connection.execute, checks.asked.current.fold)


def _damage(world: World, checks: Checks, workload: "Workload") -> None:
    r, records = world.random, checks.truth.records
    n = r.randrange(len(records) - 1)
    kind = r.choice(sorted(DAMAGE_FAULTS))
    key = f"{PREFIX}{n:020d}"
    data = world.objects[key].data
    files = sorted(k for k in world.objects if k.startswith(f"log-data/{DOMAIN}/"))
    archived = f"log-archive/{DOMAIN}" in world.objects  # what is left of them is not read any more
    if kind == "damage: data file" and (not files or archived):
        kind = "damage: bit"
    if kind == "damage: data file":
        named = [
            k for k in files if any(k.encode() in world.objects[f"{PREFIX}{m:020d}"].data for m in range(len(records)))
        ]
        if not named:
            return
        key = r.choice(named)
        n = next(m for m in range(len(records)) if key.encode() in world.objects[f"{PREFIX}{m:020d}"].data)
        data = world.objects[key].data
    if kind == "damage: missing":
        del world.objects[key]
    elif kind == "damage: foreign":
        world.objects[key] = Stored(_foreign(n))
    elif kind == "damage: unchained":
        if not n:
            return
        sound = decode(data, DOMAIN, n, log_id=None, prev=None)
        world.objects[key] = Stored(encode(replace(sound, prev="ab" * 32))[0])
    else:
        at = r.randrange(len(data))
        spoilt = {
            "damage: empty": b"",
            "damage: torn": data[:at],
        }.get(kind, data[:at] + bytes([data[at] ^ (1 << r.randrange(8))]) + data[at + 1 :])
        world.objects[key] = Stored(spoilt)
    world.faults.hit[kind] += 1
    world.note(f"{kind}: {key}")
    before = (
        records[n].events[0].position - 1 if records[n].events else (records[n - 1].events[-1].position if n else 0)
    )
    _nobody_passes(world, workload, n, before, kind)


def _foreign(n: int) -> bytes:
    """A sound record of another log, of that number."""
    record = Record("another log", DOMAIN, n, "0" * 64 if n == 0 else "ab" * 32, "batch", 1, 0, START)
    return encode(record)[0]


def _nobody_passes(world: World, workload: "Workload", n: int, before: int, kind: str) -> None:
    """A reader, heads and a follower that begin at the beginning stop at record n; nothing of it is used."""
    for who in ("reader", "heads", "follower"):
        log = EventLog(workload.store(world), DOMAIN, history=workload.history())
        reached = 0
        try:
            if who == "reader":
                for batch in log.events(batch_rows=3):
                    reached = batch.column("position")[batch.num_rows - 1].as_py()
            elif who == "heads":
                heads = Heads(world.folder / "damaged-heads.sqlite", log)
                try:
                    heads.catch_up()
                finally:
                    reached = heads.position
                    heads.close()
            else:
                sink = _sink(world, "damaged", log)
                try:
                    sink.claim(1)
                    for batch in log.events(batch_rows=3):
                        sink.apply(batch, 1)
                finally:
                    reached = sink.position()
                    sink.close()
        except LogDamaged as damage:
            # What lies at number 0 says which log it is: that it is another's shows in the next record.
            if damage.n != n and (kind, n, damage.n) != ("damage: foreign", 0, 1):
                raise Violation(
                    "F10 damage stops", f"{kind} of record {n}: the {who} names record {damage.n}"
                ) from None
            if reached > before:
                raise Violation("F10 damage stops", f"{kind} of record {n}: the {who} came to {reached}") from None
        else:
            raise Violation("F10 damage stops", f"{kind} of record {n}: the {who} saw nothing, came to {reached}")
