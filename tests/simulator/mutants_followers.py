"""Bugs planted into what follows the log: the loop, the relay, the projection."""

from tests.simulator.mutant import Mutant

_WORK = "ontology_assets.followers.work:Work."
_RELAY = "ontology_assets.followers.relay:Relay."
_PRODUCER = "resources.topic.sqlite:SqliteProducer."
_SINK = "ontology_assets.projections.sinks:ProjectionSink."
_WRITER = "resources.read_model.sqlite_writer:SqliteWriter."
_CHANGES = "resources.read_model.sqlite_changes:ChangeWriter."

OF_FOLLOWERS = (
    # Following
    Mutant(
        "skipped on restart",
        _WORK + "follow_until",
        "position = self.position()\nlooked_at",
        "position = self.log.end().position\nlooked_at",
    ),
    Mutant(
        "caught up but an event missing: what is waited for is not applied",
        "ontology_assets.followers.follow:catch_up",
        "before, position = position, work.position()",
        "before, position = position, target",
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
        "ids = np",
        'connection.execute("COMMIT")\nconnection.execute("BEGIN IMMEDIATE")\nids = np',
    ),
    Mutant(
        "lost publish only counted",
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
        "control: fence off",
        _WRITER + "write",
        "WHERE domain = ? AND epoch = ? RETURNING",
        "WHERE domain = ? AND ? >= 0 RETURNING",
    ),
    Mutant("an older epoch may claim the model", _WRITER + "claim", "if stored.state.epoch >= epoch:", "if False:"),
    Mutant(
        "position and effect in two transactions",
        _WRITER + "write",
        "change = self._change(connection)",
        'connection.execute("COMMIT")\nconnection.execute("BEGIN IMMEDIATE")\nchange = self._change(connection)',
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
    Mutant(
        "a batch is counted, and none of its rows applied",
        _SINK + "apply",
        "history=history_of(batch))",
        "history=history_of(batch), live=[], gone=[])",
    ),
    Mutant("no tombstone", _CHANGES + "gone", "self.connection.executemany(", "(lambda *_: None)("),
    Mutant("XOR digest", "resources.read_model.digest_sums:DigestSums.add", "self._sums +=", "self._sums ^="),
)
