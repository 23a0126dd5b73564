"""Every point at which a real process is killed, and what has happened by then. `docs/kills.md` lists them for people.

`ROLE: WHERE CALL`, as in the simulator's list. A process that nobody kills tells each point that it came to; what is not
here then is missing here, see test_every_point.py.
"""

POINTS: dict[str, str] = {
    # A writer. Nothing is reserved: the heads are read, decided on, and record n+1 is offered.
    "append: before read heads": "before the decision",
    "append: before get record": "while the heads catch up",
    "append: before sync": "about to say that it is there already, not made sure of",
    "append: after sync": "made sure of, not said",
    "append: before put data": "decided, nothing written",
    "append: half put data": "half of a data file",
    "append: unsynced put data": "a data file, before its fsync",
    "append: synced put data": "a data file, after its fsync, without its name",
    "append: after put data": "a data file that no record names",
    "append: before put record": "decided, nothing offered",
    "append: half put record": "half of a record",
    "append: unsynced put record": "a record, before its fsync",
    "append: synced put record": "a record, after its fsync, before it has its number",
    "append: linked put record": "record n+1 is there, and nobody was told",
    "append: after put record": "committed, before the heads know it",
    "append: in tables heads": "the heads' file half made",
    "append: before begin heads": "before the heads are written",
    "append: in transaction heads": "between entries of the heads",
    "append: half of rows heads": "half of the entries of one statement",
    "append: before commit heads": "all entries, before their commit",
    "append: after commit heads": "the heads know it, the caller does not",
    "append: before put hint": "before the hint to the log's end",
    "append: after put hint": "after the hint, before the record",
    "append: before ack": "committed, before the acknowledgement",
    "append: after ack": "acknowledged",
    # The relay.
    "relay: before read registry": "before the lease is looked at",
    "relay: before write registry": "before the lease is taken, and given back",
    "relay: after write registry": "the lease taken, the topic not claimed",
    "relay: after claim": "the topic claimed, nothing read",
    "relay: before read topic": "before the position is read",
    "relay: before get record": "in the middle of reading the log",
    "relay: before begin topic": "events read, nothing sent",
    "relay: in transaction topic": "position moved, messages not all there",
    "relay: half of rows topic": "half of the messages",
    "relay: before commit topic": "all messages and the position, before their commit",
    "relay: after commit topic": "published and recorded",
    # A projection, from position 0: new, or its file was deleted.
    "search: before read registry": "before the lease is looked at",
    "search: before write registry": "before the lease is taken, and given back",
    "search: after write registry": "the lease taken, the model not claimed",
    "search: after claim": "the model claimed, nothing read",
    "search: before read search": "before the position is read",
    "search: before get record": "in the middle of reading the log",
    "search: before begin search": "events folded, nothing written",
    "search: in tables search": "while tables or indexes are made",
    "search: in transaction search": "position moved, documents not all there",
    "search: half of rows search": "half of the documents of one statement",
    "search: after parking search": "a poisoned event set aside, before the commit",
    "search: before commit search": "documents, digest, position, before their commit",
    "search: after commit search": "applied and recorded",
    # A projection dropped and built again from position 0, because the ontology has changed.
    "rebuild: in tables search": "old tables half dropped, new ones half made, indexes half built",
    "rebuild: after claim": "the new tables are there, empty",
    "rebuild: in transaction search": "in the middle of a batch",
    "rebuild: half of rows search": "half of the documents of one statement",
    "rebuild: after parking search": "a poisoned event set aside, before the commit",
    "rebuild: before begin search": "before the next batch is written",
    "rebuild: before commit search": "a batch and its position, before their commit",
    "rebuild: after commit search": "a batch done, the rest not",
    # The heads built again from nothing.
    "heads: in tables heads": "their file half made",
    "heads: before begin heads": "before they are written",
    "heads: in transaction heads": "between entries",
    "heads: half of rows heads": "half of the entries of one statement",
    "heads: before commit heads": "all entries, before their commit",
    "heads: after commit heads": "there",
    # Sealing.
    "seal: before get record": "in the middle of reading the log",
    "seal: torn file lake": "half of a file",
    "seal: half of files": "files that no commit names",
    "seal: before commit lake": "all files, before the commit",
    "seal: after commit lake": "committed, before it is read back",
    # Archiving.
    "archive: before get record": "in the middle of comparing, or of removing",
    "archive: before put mark": "compared, or all removed, before that is written down",
    "archive: half put mark": "half of the mark",
    "archive: unsynced put mark": "the mark, before its fsync",
    "archive: synced put mark": "the mark, after its fsync, without its name",
    "archive: after put mark": "the mark is there, no file is removed, or all are",
    "archive: before delete data": "between files that are removed",
    "archive: after delete data": "a file removed, the next not",
}

SAME_CODE = {"rebuild": "search", "heads": "append"}
"""Whose points a role comes to as well: there is no second time a kill at what means the same."""
