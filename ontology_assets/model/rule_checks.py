"""Contracts and expectations: each rule has the fields that it needs and no others, and patterns that end."""

from collections.abc import Set

from resources.approvals.base import KEPT
from transforms.definitions import Dataset, Pipeline
from transforms.patterns import pattern_fault
from transforms.rule_definitions import ColumnContract, Expectation
from transforms.yaml_source import FieldPath, YamlSource, suggestion

RULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "row_count_between": ((), ("per", "min", "max")),
    "volume": (("against",), ("min", "max", "last")),
    "conserves": (("sum", "of"), ()),
    "not_null": (("column",), ()),
    "not_empty": (("column",), ()),
    "unique": (("columns",), ()),
    "values_between": (("column",), ("min", "max")),
    "matches": (("column", "pattern"), ()),
    "values_in": (("column", "values"), ()),
    "fk_exists": (("columns", "references", "allow_nulls"), ("key",)),
    "freshness": (("within",), ("column",)),
    "distribution": (("column", "measure", "max", "against"), ()),
}
"""Rule -> fields that it needs, fields that it may have."""
FIELDS = sorted({field for needed, optional in RULES.values() for field in (*needed, *optional)})


def check_rules(source: YamlSource, at: FieldPath, part: Dataset | Pipeline, *, rows_of: Set[str]) -> None:
    """Note what is wrong with the rules of a dataset or pipeline. `rows_of`: names whose rows `conserves` may count."""
    for index, expectation in enumerate(part.expectations):
        check_expectation(source, (*at, "expectations", index), expectation, rows_of)
    for column, contract in (part.contract.columns if part.contract else {}).items():
        check_column(source, (*at, "contract", "columns", column), contract)


def check_expectation(source: YamlSource, at: FieldPath, expectation: Expectation, rows_of: Set[str]) -> None:
    rule = expectation.rule
    needed, optional = RULES[rule]
    for field in FIELDS:
        given = getattr(expectation, field) is not None
        if field in needed and not given:
            source.fault(at, f"the rule '{rule}' needs the field '{field}'.")
        if given and field not in (*needed, *optional):
            allowed = ["rule", "severity", *needed, *optional]
            source.fault((*at, field), f"the rule '{rule}' has no field '{field}'.", allowed, key=True)
    if "min" in optional:
        check_bounds(source, at, expectation, needs_one=True)
    if rule == "conserves" and not rows_of:
        source.fault(
            (*at, "rule"),
            "conserves counts the rows of a node; datasets have none.",
            sorted(set(RULES) - {"conserves"}),
        )
    elif rule == "conserves" and expectation.of is not None and expectation.of not in rows_of:
        close = suggestion(expectation.of, rows_of)
        source.fault((*at, "of"), f"there is no node or input '{expectation.of}'.{close}", sorted(rows_of))
    if expectation.pattern is not None:
        check_pattern(source, (*at, "pattern"), expectation.pattern)
    check_comparison(source, at, expectation)


def check_comparison(source: YamlSource, at: FieldPath, expectation: Expectation) -> None:
    """Of rules that look beyond the table: another table's key, the past."""
    if expectation.key is not None and len(expectation.key) != len(expectation.columns or []):
        detail = f"`columns` has {len(expectation.columns or [])} columns, `key` has {len(expectation.key)}."
        source.fault((*at, "key"), detail)
    if expectation.against == "versions" and (expectation.last or 0) > KEPT:
        source.fault((*at, "last"), f"of each partition {KEPT} approved versions are kept at most.")
    if expectation.rule in ("volume", "distribution"):
        for field in ("min", "max"):
            if (getattr(expectation, field) or 0) < 0:
                source.fault((*at, field), f"the {expectation.rule} of a table is never below 0.")


def check_column(source: YamlSource, at: FieldPath, contract: ColumnContract) -> None:
    check_bounds(source, at, contract, needs_one=False)
    if contract.matches is not None:
        check_pattern(source, (*at, "matches"), contract.matches)


def check_bounds(source: YamlSource, at: FieldPath, rule: Expectation | ColumnContract, *, needs_one: bool) -> None:
    if rule.min is not None and rule.max is not None and rule.min > rule.max:
        source.fault((*at, "max"), f"max ({rule.max}) is below min ({rule.min}).")
    if needs_one and rule.min is None and rule.max is None:
        source.fault(at, "min or max or both are needed.")


def check_pattern(source: YamlSource, at: FieldPath, pattern: str) -> None:
    fault = pattern_fault(pattern)
    if fault:
        source.fault(at, f"the pattern {fault}.")
