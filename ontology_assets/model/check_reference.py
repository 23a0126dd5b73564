"""What each rule is for, with an example, and what it makes of odd data: the generated part of `docs/checks.md`.

A test runs every example, and every word of the table's last columns.
"""

from dataclasses import dataclass
from typing import Literal

from ontology_assets.model.rule_checks import RULES

Answer = Literal["passes", "fails", "-"]


@dataclass(frozen=True)
class RuleNote:
    """`missing`, `nan`, `empty`: what the rule says of a table that is good but for one missing value, one NaN, or no
    row at all; `-`: it can't come to that."""

    meaning: str
    example: str
    missing: Answer
    nan: Answer
    empty: Answer


NOTES: dict[str, RuleNote] = {
    "row_count_between": RuleNote(
        "The number of rows of the run's partitions, or with `per` of each value of a column, lies between `min` and "
        "`max`.",
        "{rule: row_count_between, min: 1, max: 1000}",
        "-", "-", "fails",
    ),
    "volume": RuleNote(
        "The rows of each partition, divided by the median of the `last` partitions before it (or of its approved "
        "versions before), lie between `min` and `max`. With nothing to compare with yet it passes, and says so.",
        "{rule: volume, against: versions, min: 0.5, max: 2}",
        "-", "-", "fails",
    ),
    "conserves": RuleNote(
        "In each partition the total of some columns is the number of rows of a node or input of the same pipeline: no "
        "row is lost on the way. A missing value counts as 0. The engine counts the node's rows.",
        "{rule: conserves, sum: [n], of: given}",
        "fails", "-", "fails",
    ),
    "not_null": RuleNote(
        "No value is missing.", "{rule: not_null, column: shop}", "fails", "passes", "passes"
    ),
    "not_empty": RuleNote(
        "No value is missing, empty or blank.", "{rule: not_empty, column: shop}", "fails", "passes", "passes"
    ),
    "unique": RuleNote(
        "No two rows of the run's partitions have the same values in these columns together. Two missing values are "
        "the same, so are two NaN.",
        "{rule: unique, columns: [receipt, shop]}",
        "passes", "passes", "passes",
    ),
    "values_between": RuleNote(
        "Each number lies between `min` and `max`, both allowed.",
        "{rule: values_between, column: quantity, min: 1, max: 100}",
        "passes", "fails", "passes",
    ),
    "matches": RuleNote(
        "The regular expression is found in each text; `^` and `$` bound it. Patterns that may take for ever are "
        "refused.",
        '{rule: matches, column: shop, pattern: "^s[0-9]$"}',
        "passes", "-", "passes",
    ),
    "values_in": RuleNote(
        "Each value, written as text, is one of the list.",
        "{rule: values_in, column: shop, values: [s1, s2]}",
        "passes", "fails", "passes",
    ),
    "fk_exists": RuleNote(
        "Each set of values of `columns` is there as `key` in another table, whose newest version is read whole, once. "
        "`allow_nulls` has to be said: with `false` a missing part fails.",
        "{rule: fk_exists, columns: [shop], references: clean/shops, key: [name], allow_nulls: true}",
        "passes", "-", "passes",
    ),
    "freshness": RuleNote(
        "The newest value of a date or timestamp column, or without `column` the table's newest commit, is at most "
        "`within` old. A date counts from its midnight in the domain's time zone. Evaluated anew in each run; a run "
        "without the table's newest partition does not judge its values, and says so.",
        "{rule: freshness, column: sold_on, within: 3d}",
        "passes", "-", "fails",
    ),
    "distribution": RuleNote(
        "A `measure` of a column's values in each partition differs by at most `max` from the approved version before, "
        "or from the newest approved version of the partition before. `mean`: in standard deviations of before; "
        "`null_share`: difference of shares; `quantiles`: greatest difference of the cumulative shares at the deciles "
        "of before; `new_values`: share of rows whose value was not there before (up to 1,000 different ones). With "
        "nothing to compare with yet it passes, and says so.",
        "{rule: distribution, column: quantity, measure: mean, max: 0.5, against: versions}",
        "passes", "passes", "fails",
    ),
}  # fmt: skip


def rules() -> str:
    """A section for each rule, and the table of odd data."""
    parts = []
    for name, (needed, optional) in RULES.items():
        note = NOTES[name]
        fields = ", ".join([*(f"`{one}`" for one in needed), *(f"`{one}` (may be left out)" for one in optional)])
        parts.append(f"### {name}\n\n{note.meaning}\n\nFields: {fields}.\n\n```yaml\n- {note.example}\n```\n")
    rows = ["| rule | one missing value | one NaN | no row | no such column |", "|---|---|---|---|---|"]
    for name, note in NOTES.items():
        gone = "fails" if set(RULES[name][0] + RULES[name][1]) & {"column", "columns", "sum", "per"} else "-"
        rows.append(f"| `{name}` | {note.missing} | {note.nan} | {note.empty} | {gone} |")
    return "\n".join(parts) + "\n### Odd data\n\n" + "\n".join(rows) + "\n"
