"""The event log as a run sees it: what was appended through it is noted, for the metadata and the tags of the run."""

from collections.abc import Callable, Iterable

from ontology_assets.events.envelope import Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import Commit, EventLog

MOST_SPANS = 20
"""Spans of positions that are written out; a run beside which hundreds of others append is told by its ends."""
Span = tuple[int, int]


class RunLog(EventLog):
    """An event log that keeps the commits made through this object, oldest first."""

    appended: tuple[Commit, ...] = ()

    def append(self, heads: Heads, decide: Callable[[Heads], Draft | None], *, whole: bool = True) -> Commit | None:
        commit = super().append(heads, decide, whole=whole)
        if commit is not None and not commit.already:
            self.appended = (*self.appended, commit)
        return commit


def spans(commits: Iterable[Commit]) -> list[Span]:
    """First and last positions, what touches joined, ascending."""
    return joined((one.first, one.last) for one in commits if one.events)


def joined(given: Iterable[Span]) -> list[Span]:
    """Spans without overlaps, neighbours made one, ascending."""
    found: list[Span] = []
    for first, last in sorted(given):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def text_of(given: Iterable[Span]) -> str:
    """`12..480, 495..495`: what `spans_of` reads."""
    found = joined(given)
    if len(found) > MOST_SPANS:
        found = [(found[0][0], found[-1][1])]
    return ", ".join(f"{first}..{last}" for first, last in found)


def spans_of(text: str) -> list[Span]:
    """The inverse of `text_of`; a text without positions has none."""
    pairs = [part.split("..") for part in text.split(", ") if ".." in part]
    return [(int(first), int(last)) for first, last in pairs]
