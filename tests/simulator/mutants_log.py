"""Bugs planted into the log: appending, groups, heads, reading, sealing."""

from tests.simulator.mutant import Mutant

_LOG = "ontology_assets.events.log:EventLog."
_OFFERING = "ontology_assets.events.offering:Offering."
_HEADS = "ontology_assets.events.heads:Heads."
_CHAIN = "ontology_assets.events.chain:Chain."
_GROUP = "ontology_assets.events.group:"
_READER = "ontology_assets.events.reading:Reader."
_TAKE = "outcome = self._chain.store.put_if_absent(self._chain.key(n), offer.data)"

OF_THE_LOG = (
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
        "control: dedup off, events that are there are not looked for",
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
    Mutant(
        "control: dedup off, in the group",
        _GROUP + "_Deciding.draft",
        "if (there := known.get(",
        "if (there := {}.get(",
    ),
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
)
