"""What a check is called and what came of it, whichever tool evaluated it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from transforms.rule_definitions import Contract, Expectation

Severity = Literal["block", "warn"]
LAST = 7
"""How many partitions or versions `volume` looks back on where the rule does not say."""


@dataclass(frozen=True)
class CheckName:
    """A check as it is known before anything is evaluated: a name of letters, digits and _, unique within its
    table."""

    name: str
    severity: Severity
    expected: str


@dataclass(frozen=True)
class CheckOutcome:
    """One check's result. `failing_count` counts rows (for `unique`: rows of keys that are there more than once; for
    counts and comparisons: groups or partitions that are out of bounds); `samples` are some of them, by column;
    `partitions` those of the evaluated ones that it fails in."""

    name: str
    passed: bool
    severity: Severity
    expected: str
    observed: str
    failing_count: int = 0
    samples: list[Mapping[str, Any]] = field(default_factory=list)
    partitions: frozenset[str] = frozenset()


def expectation_names(expectations: Sequence[Expectation]) -> list[CheckName]:
    """One name per expectation, in their order."""
    taken: set[str] = set()
    names = []
    for one in expectations:
        subject = one.column or one.per or "_".join(one.columns or one.sum or [])
        names.append(CheckName(_free(f"{one.rule}_{subject}", taken), one.severity, _expected(one)))
    return names


def contract_names(contract: Contract | None) -> list[CheckName]:
    """One name per rule of a contract, the columns' types first; [] where there is no contract."""
    if contract is None:
        return []
    taken: set[str] = set()
    names = [CheckName(_free("contract_columns", taken), "block", "the columns and types that are declared")]
    if contract.unique:
        name = _free(f"contract_unique_{'_'.join(contract.unique)}", taken)
        names.append(CheckName(name, "block", f"{', '.join(contract.unique)} together are unique"))
    names += [
        CheckName(_free(f"contract_{column}", taken), "block", "; ".join(_rules(contract, column)) or "is there")
        for column in contract.columns
    ]
    return names


def _rules(contract: Contract, column: str) -> list[str]:
    rule = contract.columns[column]
    said = [f"{column} is never missing"] if rule.null is False else []
    if rule.matches is not None:
        said.append(f"{column} matches {rule.matches}")
    if rule.min is not None or rule.max is not None:
        said.append(f"{column} is {bounds(rule.min, rule.max)}")
    if rule.values is not None:
        said.append(f"{column} is one of {', '.join(rule.values)}")
    return said


def _expected(one: Expectation) -> str:
    compared = f"{one.measure} of {one.column} changes by at most {one.max} against the {_reference(one)}"
    referring = (
        f"each {', '.join(one.columns or [])} is in {one.references} ({', '.join(one.key or one.columns or [])})"
    )
    return {
        "row_count_between": f"{bounds(one.min, one.max)} rows{f' for each {one.per}' if one.per else ''}",
        "volume": f"rows of a partition are {bounds(one.min, one.max)} times the median of the {_reference(one)}",
        "conserves": f"{' + '.join(one.sum or [])} = rows of {one.of}",
        "values_between": f"{one.column} is {bounds(one.min, one.max)}",
        "not_null": f"{one.column} is never missing",
        "not_empty": f"{one.column} is never missing or blank",
        "unique": f"{', '.join(one.columns or [])} together are unique",
        "matches": f"{one.column} matches {one.pattern}",
        "values_in": f"{one.column} is one of {', '.join(one.values or [])}",
        "fk_exists": f"{referring}{'' if one.allow_nulls else ', and none is missing'}",
        "freshness": f"the newest {one.column or 'commit'} is at most {one.within} old",
        "distribution": compared,
    }[one.rule]


def _reference(one: Expectation) -> str:
    """What a rule on the past compares with, in words."""
    if one.rule == "distribution":
        return "approved version before" if one.against == "versions" else "partition before"
    count = one.last or LAST
    return f"{count} approved versions before" if one.against == "versions" else f"{count} partitions before"


def bounds(low: float | None, high: float | None) -> str:
    """An interval in words."""
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _free(name: str, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9_]", "_", name).strip("_")
    result, number = base, 2
    while result in taken:
        result, number = f"{base}_{number}", number + 1
    taken.add(result)
    return result
