"""Gates: what blocking rules said of a data version, kept where every consumer can ask before it reads.

A check step writes verdicts (`judged`); whoever reads a table asks `require_approved` first: in the same run, in one of
its own, in a backfill of several runs, or by a command. A table without blocking rules has no gate.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resources.approvals.base import Approvals, Verdict
from resources.errors import SpiceError
from transforms.outcomes import CheckOutcome
from transforms.past_rules import Past, Profile
from transforms.rule_definitions import Contract, Expectation

CODE_VERSION = "2"
"""Raised by hand when our code judges the same rules differently."""
SHOWN = 12
"""Signs of a data version in a message."""


class NotApproved(SpiceError):
    """A version of a table that its blocking rules have not passed: nothing may be made of it."""

    kind = "urn:spice:not-approved"


@dataclass(frozen=True)
class TableRules:
    """What is demanded of a table. `types`: declared types of columns, part of the contract."""

    table: str
    contract: Contract | None = None
    expectations: Sequence[Expectation] = ()
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        return self.contract is not None or bool(self.expectations)

    @property
    def blocking(self) -> bool:
        return self.contract is not None or any(one.severity == "block" for one in self.expectations)

    @property
    def timeless(self) -> bool:
        """Whether the same data always get the same answer."""
        return all(one.rule != "freshness" for one in self.expectations)

    @property
    def references(self) -> list[str]:
        """Other tables that the rules read."""
        return sorted({one.references for one in self.expectations if one.references})

    def hash(self) -> str:
        """Of all rules."""
        return _hash(self.contract, self.types, self.expectations)

    def gate(self) -> str:
        """Of the blocking rules: with another one of them, what was approved is to be judged again."""
        return _hash(self.contract, self.types, [one for one in self.expectations if one.severity == "block"])


def _hash(contract: Contract | None, types: Mapping[str, str], expectations: Sequence[Expectation]) -> str:
    """Fields that are not given are left out, so that a new kind of field makes no old rule another one."""
    parts = [CODE_VERSION]
    if contract is not None:
        parts += [contract.model_dump_json(exclude_none=True), *(f"{name} {kind}" for name, kind in types.items())]
    parts += [one.model_dump_json(exclude_none=True) for one in expectations]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def judged(
    rules: TableRules,
    versions: Mapping[str, str],
    outcomes: Sequence[CheckOutcome],
    profiles: Mapping[str, Profile],
    run_id: str,
) -> list[Verdict]:
    """The verdict on each judged partition: a blocking rule refuses the partitions that it fails in."""
    gate = rules.gate()
    red = [one for one in outcomes if not one.passed and one.severity == "block"]
    refused = {one.name: one.partitions & versions.keys() or frozenset(versions) for one in red}
    return [
        Verdict(
            rules.table,
            partition,
            version,
            gate,
            tuple(name for name, partitions in refused.items() if partition in partitions),
            profiles.get(partition, {}),
            run_id,
        )
        for partition, version in versions.items()
    ]


def past_of(rules: TableRules, approvals: Approvals, versions: Mapping[str, str]) -> Past:
    """What rules on the past compare with; nothing is read where there are none."""
    if all(one.against is None for one in rules.expectations):
        return Past()
    found = approvals.verdicts(rules.table)
    good = {name: [one for one in several if one.approved] for name, several in found.items()}
    earlier: dict[str, list[Profile]] = {}
    for name, several in good.items():
        seen = {versions.get(name)}
        for one in several:
            if one.version not in seen:
                seen.add(one.version)
                earlier.setdefault(name, []).append(one.profile)
    return Past(earlier, {name: several[0].profile for name, several in good.items() if several})


def require_approved(rules: TableRules, versions: Mapping[str, str], approvals: Approvals) -> None:
    """Raise NotApproved where a partition of a table, at the version that would be read, was not found good."""
    if not rules.blocking or not versions:
        return
    gate = rules.gate()
    known = approvals.verdicts(rules.table, list(versions))
    faults = []
    for partition, version in versions.items():
        verdicts = known.get(partition, [])
        verdict = next((one for one in verdicts if (one.version, one.rules) == (version, gate)), None)
        if verdict is None or not verdict.approved:
            faults.append((partition, _reason(verdicts, verdict, version)))
    if not faults:
        return
    partition, reason = faults[0]
    more = f" So are {len(faults) - 1:,} more partitions, to {faults[-1][0]}." if len(faults) > 1 else ""
    raise NotApproved(
        "Not approved",
        f"{rules.table}{f', partition {partition},' if partition else ''} {reason}.{more} Nothing was read.",
        where=rules.table,
        status=409,
    )


def _reason(verdicts: Sequence[Verdict], verdict: Verdict | None, version: str) -> str:
    again = "run the table with its checks (its checks alone are enough where its data are right)"
    if verdict is not None:
        names = ", ".join(verdict.failed)
        return (
            f"is held back: {names} failed for its version {version[:SHOWN]} in run {verdict.run_id[:8] or '?'}. The "
            f"check says what was expected and shows rows: correct the source (or the rule), and {again}"
        )
    if any(one.version == version for one in verdicts):
        return f"is held back: its blocking rules are others than those it was judged by; {again}"
    if verdicts:
        return f"is held back: version {version[:SHOWN]} was never judged by its blocking rules; {again}"
    return f"is held back: no version of it was ever judged by its blocking rules; {again}"
