"""What a ranged replay is about: days, types, buckets; and the months that Dagster's partitions have of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ontology_assets.model.definitions import Domain
from ontology_assets.projections.comparison import ALL_BUCKETS
from resources.errors import SpiceError

Span = tuple[date, date]
"""First and last day, both included."""
EARLIEST = date(2020, 1, 1)
"""Where no domain says anything: before any event was recorded."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Selection:
    """Objects that have an event on one of `days` (`occurred_at`, UTC). No `types`: all of them; no `domain`: all."""

    days: tuple[Span, ...]
    buckets: tuple[int, ...] = ALL_BUCKETS
    types: tuple[str, ...] = ()
    domain: str | None = None

    def of_domain(self, domain: Domain) -> tuple[str, ...]:
        """The types of this domain that are meant."""
        if self.domain not in (None, domain.name):
            return ()
        return tuple(name for name in sorted(domain.object_types) if not self.types or name in self.types)

    def checked(self, domains: Sequence[Domain]) -> "Selection":
        """Raises SpiceError where it names what there is not."""
        if self.domain is not None and self.domain not in {one.name for one in domains}:
            raise SpiceError(
                "Unknown domain",
                f"there is no domain {self.domain!r}.",
                where="domain",
                allowed=sorted(one.name for one in domains),
            )
        known = {name for one in domains if self.domain in (None, one.name) for name in one.object_types}
        for name in self.types:
            if name not in known:
                raise SpiceError("Unknown type", f"there is no type {name!r}.", where="type", allowed=sorted(known))
        return self


def day_of(text: object, where: str) -> date:
    """A day as `2026-03-01`. Raises SpiceError."""
    refused = SpiceError("No day", f"{text!r} is no day.", where=where, allowed=["YYYY-MM-DD"])
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise refused
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise refused from fault


def span_of(first: object, last: object) -> Span:
    """Raises SpiceError, also for days that end before they begin."""
    days = day_of(first, "from"), day_of(last, "to")
    if days[0] > days[1]:
        raise SpiceError("Empty range", f"{days[0]} to {days[1]} ends before it begins.", where="to")
    return days


def first_month(domains: Sequence[Domain]) -> date:
    """Where the months begin: the first day that a domain says, or that a dataset is partitioned by."""
    days = [domain.first_day for domain in domains if domain.first_day is not None]
    days += [one.partition.start for domain in domains for one in domain.datasets.values() if one.partition is not None]
    return min(days, default=EARLIEST).replace(day=1)


def month_of(day: date) -> str:
    """The key of the month that a day is in."""
    return day.strftime("%Y-%m")


def months_in(days: Span, domains: Sequence[Domain], today: date) -> list[str]:
    """The keys of the months that a span touches. Raises SpiceError for days that no partition has."""
    known = first_month(domains), _next_month(today) - timedelta(days=1)
    if days[0] < known[0] or days[1] > known[1]:
        raise SpiceError(
            "Outside of the months",
            f"{days[0]} to {days[1]} is not within the months that a replay has. They begin with the `first_day` of "
            "the domains' definitions and end with the present month.",
            where="from, to",
            allowed=[f"{known[0]} .. {known[1]}"],
        )
    return months_touched(days)


def months_touched(days: Span) -> list[str]:
    """The same of days that were looked at before."""
    found, day = [], days[0].replace(day=1)
    while day <= days[1]:
        found.append(month_of(day))
        day = _next_month(day)
    return found


def days_in(months: Sequence[str], within: Span | None = None) -> tuple[Span, ...]:
    """The days of some months, those that follow on each other as one span; only those `within`."""
    spans: list[Span] = []
    for month in sorted(set(months)):
        first = date.fromisoformat(f"{month}-01")
        last = _next_month(first) - timedelta(days=1)
        if within is not None:
            first, last = max(first, within[0]), min(last, within[1])
        if first > last:
            continue
        if spans and spans[-1][1] + timedelta(days=1) == first:
            spans[-1] = spans[-1][0], last
        else:
            spans.append((first, last))
    return tuple(spans)


def unbroken(buckets: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of the buckets that follow on each other."""
    found: list[tuple[int, int]] = []
    for one in sorted(set(buckets)):
        if found and found[-1][1] == one - 1:
            found[-1] = found[-1][0], one
        else:
            found.append((one, one))
    return found


def runs_of(buckets: Sequence[int], months: Sequence[str]) -> list[tuple[str, str]]:
    """First and last partition key (`<bucket>|<month>`) of each run: one for each bucket or for each month, whichever
    are fewer. So Dagster splits a backfill of the same keys.
    """
    by_month = [(f"{first:x}|{month}", f"{last:x}|{month}") for first, last in unbroken(buckets) for month in months]
    by_bucket = [(f"{one:x}|{months[0]}", f"{one:x}|{months[-1]}") for one in sorted(set(buckets))]
    return by_bucket if len(by_bucket) < len(by_month) else by_month


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
