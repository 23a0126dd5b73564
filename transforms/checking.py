"""Judging a table: its contract and its expectations together, in one pass over the data, whatever their number.

Where a rule fails, one more pass finds rows to show and the partitions it fails in, for all failed rules together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from resources.clock import Now, utc_now
from resources.lake.base import Lake
from transforms.check_tables import Reduction
from transforms.contracts import ContractRules
from transforms.expectations import ExpectationRules, Surroundings
from transforms.findings import Finding
from transforms.gating import TableRules
from transforms.outcomes import CheckName, CheckOutcome
from transforms.past_rules import Past, Profile, profiles
from transforms.pipeline import PipelineTables


@dataclass(frozen=True)
class Judgement:
    """An outcome for each rule in the order of their names (contract first), and the profile of each partition."""

    outcomes: list[CheckOutcome]
    profiles: dict[str, Profile]


def judge(
    rules: TableRules,
    lake: Lake,
    partitions: Sequence[str] | None,
    *,
    pipeline: PipelineTables | None = None,
    past: Past | None = None,
    now: Now = utc_now,
    timezone: str = "UTC",
) -> Judgement:
    """Over the named partitions (None = all; `[""]` = unpartitioned). `pipeline` gives the nodes that `conserves`
    counts; `past` what `volume` and `distribution` compare with."""
    reduction = Reduction(rules.table, lake, partitions)
    kinds: list[ContractRules | ExpectationRules] = []
    if rules.contract is not None:
        kinds.append(ContractRules(rules.contract, reduction, rules.types))
    if rules.expectations:
        around = Surroundings(past or Past(), now, timezone, pipeline)
        kinds.append(ExpectationRules(rules.expectations, reduction, around))
    for kind in kinds:
        kind.want()
    reduction.read()
    named = [pair for kind in kinds for pair in zip(kind.names(), kind.findings(), strict=True)]
    return Judgement(_located(reduction, named), profiles(reduction, rules.expectations))


def _located(reduction: Reduction, named: Sequence[tuple[CheckName, Finding]]) -> list[CheckOutcome]:
    wanted = [finding.culprits for _, finding in named if finding.culprits is not None]
    located = iter(reduction.locate(wanted))
    outcomes = []
    for name, finding in named:
        samples, partitions = list(finding.samples), finding.partitions
        if finding.culprits is not None:
            found = next(located)
            samples, partitions = samples or found.samples, frozenset(found.partitions)
        if partitions is None:
            partitions = frozenset(reduction.rows)
        outcomes.append(
            CheckOutcome(
                name=name.name,
                passed=finding.passed,
                severity=name.severity,
                expected=name.expected,
                observed=finding.observed,
                failing_count=finding.failing,
                samples=samples,
                partitions=frozenset() if finding.passed else partitions,
            )
        )
    return outcomes
