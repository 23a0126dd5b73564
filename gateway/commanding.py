"""Commands on one home: a service over the logs of its domains, and a command found again."""

import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from gateway.readers import Readers, open_readers
from ontology_assets.commands.errors import CommandRefused
from ontology_assets.commands.receipt import Receipt, find_command
from ontology_assets.commands.service import CommandDomain, CommandService
from ontology_assets.events.heads import Heads
from ontology_assets.model.definitions import Domain
from resources.home import Home
from resources.locks import exclusive, remove


class Commanding:
    """A command service with logs and heads of its own. Opening touches no file; the first command does.

    From then on it holds a lock, so that `spice reset` and `spice upgrade` leave the home alone: a log that is taken
    away under its writer would go on without its beginning.
    """

    def __init__(self, home: Home, domains: Sequence[Domain]) -> None:
        self._home, self._readers = home, open_readers(home, domains)
        self._lock_name, self._locked, self._locking = f"commands-{uuid.uuid4().hex}", ExitStack(), threading.Lock()
        self._is_locked = False
        self.service = CommandService(
            [CommandDomain(one, self._readers.log(one.name), partial(self._heads, one.name)) for one in domains]
        )

    def _heads(self, domain: str) -> Heads:
        """In the thread that commits to the domain."""
        with self._locking:
            if not self._is_locked:
                self._locked.callback(remove, self._home.locks, self._lock_name)
                self._locked.enter_context(exclusive(self._home.locks, self._lock_name, holder="commands"))
                self._is_locked = True
        return self._readers.heads(domain)

    def close(self) -> None:
        """Commit what waits, then close."""
        self.service.close()
        self._readers.__exit__(None, None, None)
        self._locked.close()


def known_command(readers: Readers, command_id: str, domain: str | None = None) -> Receipt:
    """The receipt of a command that is in a log. Raises NoSuchCommand, CommandRefused."""
    names = [one.name for one in readers.domains]
    if domain is not None and domain not in names:
        raise CommandRefused(f"there is no domain {domain!r}", where="domain", allowed=sorted(names))
    begun = [name for name in names if domain in (None, name) and readers.log(name).end().n >= 0]
    return find_command([(readers.log(name), readers.heads(name)) for name in begun], command_id)
