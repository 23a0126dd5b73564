"""Planted bugs: each replaces a few words of one named function of the real code, while it is applied.

A simulator that finds no planted bug proves nothing. A mutant that no longer applies, or that changes nothing, is an
error: the list follows the code. Those about rebuild and swap come with the rebuild (`WAITING`).
"""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any


class MutantStale(Exception):
    """The code that the mutant spoils is not there any more, or the mutant changes nothing."""


@dataclass(frozen=True)
class Mutant:
    """`where` is `module:function` or `module:Class.function`; `old` stands in its source exactly once.

    Further lines of `old` and `new` are indented as seen from the line in which `old` begins.
    """

    name: str
    where: str
    old: str
    new: str

    def function(self) -> FunctionType:
        module, _, path = self.where.partition(":")
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = inspect.getattr_static(found, part)
        if isinstance(found, property):
            found = found.fget
        found = inspect.unwrap(found)
        if not isinstance(found, FunctionType):
            raise MutantStale(f"{self.name}: {self.where} is no function")
        return found

    def code(self) -> CodeType:
        """The spoilt function's code. Raises MutantStale."""
        function = self.function()
        source = textwrap.dedent(inspect.getsource(function))
        source = source[source.index("def ") :]
        code = _compiled(self._spoilt(source), function)
        # Compared with the same source compiled in the same way: what a module imports is compiled otherwise inside it.
        if _does(code) == _does(_compiled(source, function)):
            raise MutantStale(f"{self.name}: it changes nothing in {self.where}")
        return code

    def _spoilt(self, source: str) -> str:
        first = self.old.partition("\n")[0]
        found = []
        for line in source.splitlines():
            if first in line:
                indented = "\n" + line[: len(line) - len(line.lstrip())]
                old = self.old.replace("\n", indented)
                if source.count(old) == 1:
                    found.append(source.replace(old, self.new.replace("\n", indented)))
        if len(found) != 1:
            raise MutantStale(f"{self.name}: {self.old!r} is {len(found)} times in {self.where}, not once")
        return found[0]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The real function is the spoilt one inside the block, for everybody who has it."""
        function, code = self.function(), self.code()
        before = function.__code__
        function.__code__ = code
        try:
            yield
        finally:
            function.__code__ = before


def _compiled(source: str, function: FunctionType) -> CodeType:
    names: dict[str, Any] = {}
    exec(compile(source, f"<mutant of {function.__qualname__}>", "exec"), dict(function.__globals__), names)
    code: CodeType = names[function.__name__].__code__
    return code


def _does(code: CodeType) -> tuple[Any, ...]:
    """What a code object does, whatever file and line it comes from."""
    constants = tuple(_does(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_code, constants, code.co_names


_LOG = "ontology_assets.events.log:EventLog."
_OFFERING = "ontology_assets.events.offering:Offering."
_HEADS = "ontology_assets.events.heads:Heads."
_CHAIN = "ontology_assets.events.chain:Chain."
_GROUP = "ontology_assets.events.group:"
_READER = "ontology_assets.events.reading:Reader."
_WORK = "ontology_assets.followers.work:Work."
_RELAY = "ontology_assets.followers.relay:Relay."
_PRODUCER = "resources.topic.sqlite:SqliteProducer."
_SINK = "ontology_assets.projections.sinks:ProjectionSink."
_WRITER = "resources.read_model.sqlite_writer:SqliteWriter."
_CHANGES = "resources.read_model.sqlite_changes:ChangeWriter."
_TAKE = "outcome = self._chain.store.put_if_absent(self._chain.key(n), offer.data)"

MUTANTS = (
    # The commit loop
    Mutant(
        "check-then-act append",
        _OFFERING + "_put_once",
        _TAKE,
        """if self._chain.store.head(self._chain.key(n)) is None:
    self._chain.store.put(self._chain.key(n), offer.data)
    outcome = PutOutcome.DONE
else:
    outcome = PutOutcome.EXISTS""",
    ),
    Mutant(
        "an unknown outcome taken for done",
        _OFFERING + "_put_once",
        "if outcome is PutOutcome.DONE:",
        "if outcome is not PutOutcome.EXISTS:",
    ),
    Mutant(
        "an exception read as a conflict, and told so",
        _OFFERING + "_put_once",
        "outcome, cause = PutOutcome.UNKNOWN, repr(error)",
        """from ontology_assets.events.errors import SequenceConflict
for kind, key, sequence in offer.record.streams[:1]:
    raise SequenceConflict(self._chain.domain, kind, key, sequence - 1, sequence) from error
outcome, cause = PutOutcome.UNKNOWN, repr(error)""",
    ),
    Mutant(
        "whoever has the number, it is ours",
        _OFFERING + "_put_once",
        "mine = found.batch == offer.record.batch and found.chain == offer.chain",
        "mine = True",
    ),
    Mutant(
        "what is seen after an unknown outcome is done, though it is not synced",
        _OFFERING + "_put_once",
        "self._chain.sync()  # seen",
        "pass  # seen",
    ),
    Mutant(
        "what is there already is done, though its writer died before the sync",
        _LOG + "_append",
        'self.chain.sync()  # "nothing',
        'pass  # "nothing',
    ),
    Mutant(
        "retry at n+2 while n+1 is unsettled",
        _LOG + "_offer",
        "if self._offering.put(offer):",
        """from ontology_assets.events.errors import OutcomeUnknown
try:
    taken = self._offering.put(offer)
except OutcomeUnknown:
    r = offer.record
    base = LogEnd(r.log_id, r.n, r.last, offer.chain, r.recorded_at)
    continue
if taken:""",
    ),
    Mutant(
        "decision on one state, commit on another",
        _LOG + "_offer",
        "if reads.repeated_by(beaten_by.inline()) or (",
        "if False and (",
    ),
    Mutant(
        "the same command in two processes goes unnoticed",
        "ontology_assets.events.overlap:Reads.repeated_by",
        "return bool(self._events) and",
        "return False and",
    ),
    Mutant(
        "the last record's time is not looked at",
        _LOG + "_made",
        "max(self._clock(), base.recorded_at)",
        "self._clock()",
    ),
    Mutant(
        "expected_seq is not checked",
        "ontology_assets.events.batch:check_expected",
        "if expected != actual:",
        "if False:",
    ),
    Mutant(
        "dedup off: events that are there are not looked for",
        "ontology_assets.events.batch:already_there",
        "known = heads.known_events",
        "known = {} and heads.known_events",
    ),
    Mutant(
        "same id, other content is the same event",
        "ontology_assets.events.batch:already_there",
        "if given != there:",
        "if False:",
    ),
    # Group commit
    Mutant(
        "the group does not see the states that it writes",
        _GROUP + "_GroupView.write",
        "else state_text(event.data)",
        "else self.current(event.aggregate_type, event.aggregate_id).state",
    ),
    Mutant("dedup off in the group", _GROUP + "_Deciding.draft", "if (there := known.get(", "if (there := {}.get("),
    Mutant(
        "a command id with another content is answered as done",
        _GROUP + "_same_request",
        "if request.digest != digest:",
        "if False:",
    ),
    Mutant("a group's answers are one off", _GROUP + "_Deciding.outcomes", "position = last + 1", "position = last"),
    Mutant(
        "what was refused on an older state stays refused",
        _GROUP + "_Deciding.draft",
        "self._refused, self._known, self._same = {}, {}, {}",
        "self._known, self._same = {}, {}",
    ),
    # Heads and ids
    Mutant(
        "heads: position and content in two transactions",
        _HEADS + "_fold_records",
        "self._write_end(at)",
        'self._db.execute("COMMIT")\nself._db.execute("BEGIN IMMEDIATE")\nself._write_end(at)',
    ),
    Mutant(
        "the id index forgets",
        "ontology_assets.events.heads_fold:Fold._inline",
        "INSERT OR IGNORE INTO event_ids VALUES (?,?,?,?,?,?)",
        "INSERT OR IGNORE INTO event_ids SELECT ?,?,?,?,?,? WHERE 0",
    ),
    Mutant(
        "a load does not note whose objects it looked at",
        _HEADS + "owned",
        "if self._reads is not None:",
        "if False:",
    ),
    Mutant(
        "a load deletes what another partition owns",
        _HEADS + "owned",
        "ON a.owner_id = o.owner_id AND a.type_id",
        "ON a.owner_id IS NOT NULL AND a.type_id",
    ),
    Mutant(
        "already done read from a counter",
        "ontology_assets.materializations:is_new",
        "return latest is None or latest.data_version != wanted.data_version",
        "return latest is None or latest.sequence < 1",
    ),
    Mutant(
        "a commit that fails leaves the heads' transaction open",
        "ontology_assets.events.heads_file:HeadsFile._writing",
        "if self._db.in_transaction:",
        "if False:",
    ),
    # Reading
    Mutant(
        "an empty record is skipped",
        _CHAIN + "records",
        "while (record := self.next(at)) is not None:",
        """while True:
    try:
        record = self.next(at)
    except LogDamaged as damage:
        if damage.reason != "empty":
            raise
        at = LogEnd(at.log_id, at.n + 1, at.position, at.chain, at.recorded_at)
        continue
    if record is None:
        return""",
    ),
    Mutant(
        "an altered record is read",
        "ontology_assets.events.record:_parts",
        "if digest.digest() != chain:",
        "if False:",
    ),
    Mutant(
        "a record that follows another is read",
        "ontology_assets.events.record:decode",
        "if prev is not None and record.prev != prev:",
        "if False:",
    ),
    Mutant(
        "a data file is not checked",
        "ontology_assets.events.data_files:DataFileReader._check_hash",
        "if digest.hexdigest() != file.sha256:",
        "if False:",
    ),
    Mutant(
        "two commits between two looks are damage",
        _CHAIN + "next",
        "record = self.read(after.n + 1, after=after)  # others",
        "pass  # others",
    ),
    Mutant(
        "a store's reset while a data file is checked refuses the batch",
        "ontology_assets.events.data_files:write",
        "problem = footer_problem(store, file)",
        """try:
    problem = footer_problem(store, file)
except OSError as error:
    problem = str(error)""",
    ),
    Mutant(
        "a tail by wall clock",
        _READER + "events",
        "for record in self._chain.records(start):",
        """for record in (
    r for r in self._chain.records(start) if not start or r.recorded_at > self._chain.span(start - 1)[2]
):""",
    ),
    Mutant(
        "an acknowledged event that no index knows: the end is read from the hint",
        _CHAIN + "end",
        "n = self.newest()",
        "n = self._hint()",
    ),
    Mutant("the end of the log is looked for once", _CHAIN + "newest", "step = 1", "return low"),
    # Sealing
    Mutant(
        "a seal drops a commit that landed meanwhile",
        "ontology_assets.events.sealing:seal",
        "version=last.n,",
        "version=log.end().n,",
    ),
    Mutant(
        "a seal begins one record early",
        "ontology_assets.events.sealing:seal",
        "_runs(log, sealed + 1, last.n, written)",
        "_runs(log, max(0, sealed), last.n, written)",
    ),
    Mutant(
        "a slower sealer appends again what a faster one has appended",
        "ontology_assets.events.sealing:seal",
        "after=sealed,",
        "after=None,",
    ),
    Mutant(
        "a seal's proof takes the next one's rows for its own",
        "ontology_assets.events.sealing:seal",
        "_digest_of_files(added, position, last.last)",
        "_digest_of_files(added, position, 1 << 60)",
    ),
    Mutant(
        "a list that is made while records are is taken for a hole",
        _CHAIN + "_listed",
        "if self.store.head(self.key(expected)) is None:",
        "if True:",
    ),
    # Following
    Mutant(
        "skipped on restart",
        _WORK + "follow_until",
        "position = self.position()\nlooked_at",
        "position = self.log.end().position\nlooked_at",
    ),
    Mutant(
        "caught up, though nothing was done",
        "ontology_assets.followers.follow:catch_up",
        "while position < target:",
        "while position < target and not work.epochs:",
    ),
    # The relay
    Mutant(
        "an unfenced checkpoint",
        _PRODUCER + "_advance",
        "WHERE name = ? AND epoch = ? AND position = ?",
        "WHERE name = ? AND ? >= 0 AND position = ?",
    ),
    Mutant(
        "an older epoch may claim the topic",
        _PRODUCER + "claim",
        "WHERE excluded.epoch > producers.epoch",
        "WHERE excluded.epoch > 0",
    ),
    Mutant(
        "messages and position in two transactions",
        _PRODUCER + "publish",
        "ids = {",
        'connection.execute("COMMIT")\nconnection.execute("BEGIN IMMEDIATE")\nids = {',
    ),
    Mutant(
        "a lost publish is only counted",
        _RELAY + "apply",
        "self._producer.publish(messages(new), after=position, position=last, history=history, epoch=epoch)",
        """try:
    self._producer.publish(messages(new), after=position, position=last, history=history, epoch=epoch)
except __import__("sqlite3").Error:
    pass""",
    ),
    Mutant("the relay passes over a gap", _RELAY + "apply", "if first != position + 1 and", "if False and"),
    Mutant(
        "the relay publishes again what it is given again", _RELAY + "apply", "_count_at_or_below(batch, position)", "0"
    ),
    # The projection
    Mutant(
        "fence off",
        _WRITER + "write",
        "WHERE domain = ? AND epoch = ? RETURNING",
        "WHERE domain = ? AND ? >= 0 RETURNING",
    ),
    Mutant("an older epoch may claim the model", _WRITER + "claim", "if stored.state.epoch >= epoch:", "if False:"),
    Mutant(
        "position and effect in two transactions",
        _WRITER + "write",
        "tables = self._tables(connection)",
        'connection.execute("COMMIT")\nconnection.execute("BEGIN IMMEDIATE")\ntables = self._tables(connection)',
    ),
    Mutant(
        "a commit that fails leaves the transaction open",
        "resources.sqlite_file:SqliteFile.writing",
        "if connection.in_transaction:",
        "if False:",
    ),
    Mutant("the projection passes over a gap", _SINK + "apply", "if first != position + 1 and", "if False and"),
    Mutant(
        "sequence guard off: what is done is done again",
        _SINK + "apply",
        "batch = batch.slice(",
        "_ = batch.slice(",
    ),
    Mutant(
        "poison passed, later events of its aggregate applied",
        "ontology_assets.projections.documents:_judge",
        "(layout.name, key) in parked",
        "False",
    ),
    Mutant(
        "poison dropped",
        "ontology_assets.projections.documents:_judge",
        "waiting[key] = ParkedObject(layout.name, key, events.buckets[k], events.positions[k], str(fault))",
        "str(fault)",
    ),
    Mutant(
        "the digest keeps what was replaced",
        _CHANGES + "_clear_old",
        "stale = old_live + old_gone",
        "stale = old_live[:0]",
    ),
    Mutant("no tombstone", _CHANGES + "gone", "self.connection.executemany(", "(lambda *_: None)("),
    Mutant("XOR digest", "resources.read_model.digest_sums:DigestSums.add", "self._sums +=", "self._sums ^="),
)

WAITING = {
    "caught up but an event missing, at a swap": "issue 6: there is no rebuild yet",
    "promoted before the swap": "issue 6: there is no alias yet",
    "swap while green is behind blue": "issue 6: there is no alias yet",
    "repair refused by the guard and reported done": "issue 6: there is no repair yet",
    "zero rows restored and success reported, by a rebuild": "issue 6: there is no rebuild yet",
}
"""Asked for, and not to be planted before what they spoil is there."""
