"""Commands on one home: a service over the logs of its domains, and a command found again."""

from collections.abc import Sequence
from functools import partial

from gateway.readers import Readers, open_readers
from ontology_assets.commands.errors import CommandRefused
from ontology_assets.commands.receipt import Receipt, find_command
from ontology_assets.commands.service import CommandDomain, CommandService
from ontology_assets.model.definitions import Domain
from resources.home import Home


class Commanding:
    """A command service with logs and heads of its own. Opening touches no file; the first command does."""

    def __init__(self, home: Home, domains: Sequence[Domain]) -> None:
        self._readers = readers = open_readers(home, domains)
        self.service = CommandService(
            [CommandDomain(one, readers.log(one.name), partial(readers.heads, one.name)) for one in domains]
        )

    def close(self) -> None:
        """Commit what waits, then close."""
        self.service.close()
        self._readers.__exit__(None, None, None)


def known_command(readers: Readers, command_id: str, domain: str | None = None) -> Receipt:
    """The receipt of a command that is in a log. Raises NoSuchCommand, CommandRefused."""
    names = [one.name for one in readers.domains]
    if domain is not None and domain not in names:
        raise CommandRefused(f"there is no domain {domain!r}", where="domain", allowed=sorted(names))
    begun = [name for name in names if domain in (None, name) and readers.log(name).end().n >= 0]
    return find_command([(readers.log(name), readers.heads(name)) for name in begun], command_id)
