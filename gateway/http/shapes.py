"""Questions of the same shape take about the same time: which shapes have been too slow to be tried at once.

The shape of a question is its document with every value left out that is no name of the ontology: the same members,
properties, operators and links in the same places.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

REMEMBERED = 512
TRIED_AGAIN = 16
"""A slow shape is tried at once again after so many questions: it may have been slow because nothing was cached."""


def shape_of(document: Any, names: frozenset[str]) -> Hashable:
    """Cheap: some microseconds. `names` are the words that make a difference."""
    if isinstance(document, str):
        return document if document in names else ""
    if isinstance(document, list):
        return tuple([shape_of(value, names) for value in document[:20]])
    if isinstance(document, dict):
        return tuple([(name, shape_of(value, names)) for name, value in document.items()])
    return type(document).__name__


class SlowShapes:
    """The shapes whose last question was not answered at once."""

    def __init__(self) -> None:
        self._since: OrderedDict[Hashable, int] = OrderedDict()

    def expects_slow(self, shape: Hashable) -> bool:
        since = self._since.get(shape)
        if since is None:
            return False
        if since >= TRIED_AGAIN:
            del self._since[shape]
            return False
        self._since[shape] = since + 1
        return True

    def was_slow(self, shape: Hashable) -> None:
        self._since[shape] = 0
        self._since.move_to_end(shape)
        if len(self._since) > REMEMBERED:
            self._since.popitem(last=False)
