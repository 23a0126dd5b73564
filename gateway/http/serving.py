"""What all requests share: the home's questions, the definitions they are asked by, and who does the reading.

A question is first asked in the event loop's own thread, for some milliseconds: most need less than handing them to
another thread would. One that is not done by then begins again in a thread, with the full time limit, and the next ones
of its shape begin there. Histories and the state of the logs are read in a thread of their own, which alone uses their
readers.
"""

import asyncio
import hashlib
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from gateway.http.definitions import DefinitionSource, Watch
from gateway.http.shapes import SlowShapes
from gateway.readers import Readers, open_readers
from ontology_assets.model.definitions import Domain
from ontology_assets.queries.service import Queries
from resources.errors import SpiceError
from resources.home import Home
from resources.read_model.query import Operator
from resources.read_model.time_limit import TimeLimit, TooSlow

Value = TypeVar("Value")
FORM = 1
"""Of the documents: another number is another ETag for every one of them."""
QUERY_THREADS = 2


@dataclass(frozen=True)
class Limits:
    """What one request may take."""

    body_bytes: int = 1 << 20
    depth: int = 16
    quick_seconds: float = 0.005
    query_seconds: float = 10.0
    body_seconds: float = 10.0
    commit_seconds: float = 10.0


@dataclass(frozen=True, eq=False)
class Asked:
    """The definitions that answers are made by, with their questions. Replaced as a whole when they change."""

    home: Home
    domains: tuple[Domain, ...]

    @cached_property
    def queries(self) -> Queries:
        return open_readers(self.home, self.domains).queries

    @cached_property
    def names(self) -> frozenset[str]:
        """Every word of a question that says what it is about: types, properties, links, operators."""
        found = {operator.value for operator in Operator} | {"asc", "desc"}
        for known in self.queries.catalogue.types.values():
            found |= {known.name, *known.inverses}
            found |= {one.name for one in known.layout.fields} | {one.name for one in known.layout.links}
        return frozenset(found)

    @cached_property
    def digest(self) -> str:
        """Of the definitions: part of every ETag."""
        texts = [domain.model_dump_json() for domain in sorted(self.domains, key=lambda one: one.name)]
        return hashlib.sha256("\n".join([str(FORM), *texts]).encode()).hexdigest()[:12]

    def etag(self, *parts: str | int) -> str:
        """Strong: two documents with the same are the same bytes."""
        return f'"{"-".join(map(str, (*parts, self.digest)))}"'


class Serving:
    """One running API. Only its own event loop may use it."""

    def __init__(
        self, home: Home, domains: Sequence[Domain], limits: Limits, source: DefinitionSource | None = None
    ) -> None:
        self.home, self.limits = home, limits
        self._now = Asked(home, tuple(domains))
        self._source = source
        self._watch = None if source is None else Watch(source)
        self.broken: SpiceError | None = None
        """What is wrong with the definitions as they stand now; answers go on by the last good ones."""
        self._read_definitions()
        self._threads = ThreadPoolExecutor(QUERY_THREADS, "query")
        self._log_thread = ThreadPoolExecutor(1, "log")
        self._slow = SlowShapes()
        self._log_readers: tuple[Asked, Readers] | None = None

    @property
    def now(self) -> Asked:
        """The definitions in force. Files that were changed are read here, in some ten milliseconds."""
        if self._watch is not None and self._watch.changed():
            self._read_definitions()
        return self._now

    def _read_definitions(self) -> None:
        if self._source is None:
            return
        try:
            self._now = Asked(self.home, tuple(self._source.load()))
            self.broken = None
        except SpiceError as fault:
            self.broken = fault

    async def ask(self, question: Callable[[TimeLimit], Value], shape: Hashable = None) -> Value:
        """The answer to a question over the read models. Raises what it raises, and TooSlow."""
        if shape is None or not self._slow.expects_slow(shape):
            try:
                return question(TimeLimit.at_once(self.limits.quick_seconds))
            except TooSlow:
                self._slow.was_slow(shape)
        limit = TimeLimit.of(self.limits.query_seconds)

        def with_patience() -> Value:
            limit.check()  # it may have waited for its turn all the time it had
            return question(limit)

        return await asyncio.get_running_loop().run_in_executor(self._threads, with_patience)

    async def ask_log(self, question: Callable[[Readers], Value]) -> Value:
        """The answer to a question over the logs themselves. Raises TooSlow; what was begun then goes on."""
        asked = self.now
        answer = asyncio.get_running_loop().run_in_executor(self._log_thread, lambda: question(self._readers(asked)))
        try:
            return await asyncio.wait_for(answer, self.limits.query_seconds)
        except TimeoutError:
            raise TooSlow(self.limits.query_seconds) from None

    def close(self) -> None:
        self._log_thread.submit(self._close_readers)
        for threads in (self._threads, self._log_thread):
            threads.shutdown(wait=False, cancel_futures=False)

    def _readers(self, asked: Asked) -> Readers:
        """Of the log's thread; opened anew for other definitions."""
        if self._log_readers is None or self._log_readers[0] is not asked:
            self._close_readers()
            self._log_readers = (asked, open_readers(self.home, asked.domains))
        return self._log_readers[1]

    def _close_readers(self) -> None:
        if self._log_readers is not None:
            self._log_readers[1].__exit__(None, None, None)
            self._log_readers = None
