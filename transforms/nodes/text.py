"""`normalize`, `regex_replace`, `pattern_mining`: text made uniform, parts of it replaced, patterns found in it."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from transforms.definition_base import Column, Definition
from transforms.nodes.example import Example, table
from transforms.nodes.frame import Frame, Step, sql
from transforms.nodes.lineage import Lineage
from transforms.nodes.node import Node, replaced
from transforms.nodes.shape import Check, Columns, Fault, Shape
from transforms.patterns import pattern_fault
from transforms.sql_values import name as quoted
from transforms.sql_values import quote
from transforms.types import parse_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BLANK = "[ \t\n\r\f\v\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""What Unicode calls white space, spelt out: engines differ in what `\\s` and TRIM mean."""


def text_columns(names: Sequence[str], columns: Columns, check: Check, *path: str | int) -> None:
    """The columns exist and hold text. Raises Fault."""
    good = check.exist(names, columns, *path)
    for index, name in enumerate(names):
        if name in columns and parse_type(columns[name]).kind != "string":
            check.fault((*path, index), f"column '{name}' is {columns[name]}, not text.")
            good = False
    if not good:
        raise Fault


def checked_pattern(pattern: str, check: Check, *path: str | int) -> None:
    fault = pattern_fault(pattern)
    if fault:
        raise check.refuse(path, f"the pattern {fault}.")


def in_sql(pattern: str, *, ignore_case: bool = False) -> str:
    return quote(f"(?i){pattern}" if ignore_case else pattern)


class Normalize(Node):
    """Text made uniform: white space at both ends is cut off (any that Unicode has), text of nothing else is no value,
    letters are made small or large where that is asked for."""

    operation: ClassVar[str] = "normalize"
    example: ClassVar[Example] = Example(
        {"people": table("| id: integer | code: string |", '| 1 | "  ab " |', '| 2 | " " |')},
        "tidy: {normalize: [code], case: upper, from: people}",
        table("| id: integer | code: string? |", "| 1 | AB |", "| 2 | |"),
    )

    normalize: list[Column] = Field(min_length=1, description="Columns of text.")
    trim: bool = Field(default=True, description="Cut off white space at both ends.")
    blank_to_null: bool = Field(default=True, description="Text that is empty, or only white space, is no value.")
    case: Literal["lower", "upper"] | None = Field(default=None, description="Make all letters small or large.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        text_columns(self.normalize, columns, check, "normalize")
        nullable = "string?" if self.blank_to_null else None
        return inputs[0].with_columns({**columns, **{name: nullable or columns[name] for name in self.normalize}})

    def depends(self, lineage: Lineage) -> None:
        lineage.through(name for name in lineage.source.columns if name not in self.normalize)
        for name in self.normalize:
            lineage.value([name], name, "normalized")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        return replaced(inputs[0], made, {name: sql(self._value(quoted(name))) for name in self.normalize})

    def _value(self, column: str) -> str:
        value = column
        if self.trim:
            value = f"REGEXP_REPLACE({value}, {quote(f'^{BLANK}+|{BLANK}+$')}, '')"
        if self.case is not None:
            value = f"{self.case.upper()}({value})"
        if self.blank_to_null:
            value = f"CASE WHEN {column} RLIKE {quote(f'^{BLANK}*$')} THEN NULL ELSE {value} END"
        return value


class ReplaceRule(Definition):
    """One replacement."""

    column: Column = Field(description="Column of text.")
    pattern: str = Field(min_length=1, description="Regular expression; every match is replaced.")
    by: str = Field(description="What stands there instead, as it is written: `$1` and `\\` have no meaning.")
    ignore_case: bool = Field(default=False, description="Small and large letters are the same.")


class RegexReplace(Node):
    """Parts of text replaced, rule after rule; a later rule sees what an earlier one made."""

    operation: ClassVar[str] = "regex_replace"
    example: ClassVar[Example] = Example(
        {"people": table("| phone: string? |", "| 01 23-45 |", "| |")},
        'plain:\n  regex_replace: [{column: phone, pattern: "[^0-9]", by: ""}]\n  from: people',
        table("| phone: string? |", "| 012345 |", "| |"),
    )

    regex_replace: list[ReplaceRule] = Field(min_length=1, description="Replacements, one after the other.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        for index, rule in enumerate(self.regex_replace):
            at = ("regex_replace", index)
            if check.exists(rule.column, inputs[0].columns, *at, "column"):
                text_columns([rule.column], inputs[0].columns, check, *at, "column")
            else:
                raise Fault
            checked_pattern(rule.pattern, check, *at, "pattern")
            if re.match(rule.pattern, "") is not None:
                raise check.refuse((*at, "pattern"), "the pattern matches where nothing is; let it match something.")
        return inputs[0]

    def depends(self, lineage: Lineage) -> None:
        changed = {rule.column for rule in self.regex_replace}
        lineage.through(name for name in lineage.source.columns if name not in changed)
        for name in sorted(changed):
            by = "; ".join(f"/{rule.pattern}/ by '{rule.by}'" for rule in self.regex_replace if rule.column == name)
            lineage.value([name], name, by)

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        new: dict[str, str] = {}
        for rule in self.regex_replace:
            value = new.get(rule.column, quoted(rule.column))
            pattern, by = in_sql(rule.pattern, ignore_case=rule.ignore_case), quote(rule.by)
            # Engines differ in how a `$` or `\` of a replacement is written so that it is only itself.
            plain = not {"$", "\\"} & set(rule.by)
            parts = f"ARRAY_JOIN(SPLIT({value}, {pattern}, -1), {by})"
            new[rule.column] = f"REGEXP_REPLACE({value}, {pattern}, {by})" if plain else parts
        return replaced(inputs[0], made, {name: sql(value) for name, value in new.items()})


class PatternMining(Node):
    """A new column that says what a pattern finds in a text: whether it does (`contains`), the first match or nothing
    (`extract`), or how many matches there are that do not overlap (`count`). Of a missing text all are missing."""

    operation: ClassVar[str] = "pattern_mining"
    example: ClassVar[Example] = Example(
        {"notes": table("| note: string? |", "| see R12 and R7 |", "| nothing |", "| |")},
        'mined: {pattern_mining: note, pattern: "R[0-9]+", mode: extract, to: receipt, from: notes}',
        table("| note: string? | receipt: string? |", "| see R12 and R7 | R12 |", "| nothing | |", "| | |"),
    )

    pattern_mining: Column = Field(description="Column of text that is searched.")
    pattern: str = Field(min_length=1, description="Regular expression.")
    mode: Literal["contains", "extract", "count"] = Field(description="What is asked.")
    to: Column = Field(description="The new column.")
    ignore_case: bool = Field(default=False, description="Small and large letters are the same.")

    @property
    def row_by_row(self) -> bool:
        return True

    def shape(self, inputs: Sequence[Shape], check: Check) -> Shape:
        columns = inputs[0].columns
        text_columns([self.pattern_mining], columns, check, "pattern_mining")
        checked_pattern(self.pattern, check, "pattern")
        check.new(self.to, columns, "to")
        optional = "?" if columns[self.pattern_mining].endswith("?") else ""
        kind = {"contains": f"boolean{optional}", "extract": "string?", "count": f"integer{optional}"}[self.mode]
        return inputs[0].with_columns({**columns, self.to: kind})

    def depends(self, lineage: Lineage) -> None:
        lineage.through(lineage.source.columns)
        lineage.value([self.pattern_mining], self.to, f"{self.mode} /{self.pattern}/")

    def apply(self, inputs: Sequence[Frame], made: Shape, step: Step) -> "DataFrame":  # noqa: ARG002
        column, pattern = quoted(self.pattern_mining), in_sql(self.pattern, ignore_case=self.ignore_case)
        value = {
            "contains": f"{column} RLIKE {pattern}",
            "extract": f"CASE WHEN {column} RLIKE {pattern} THEN REGEXP_EXTRACT({column}, {pattern}, 0) END",
            "count": f"CAST(REGEXP_COUNT({column}, {pattern}) AS BIGINT)",
        }[self.mode]
        return replaced(inputs[0], made, {self.to: sql(value)})
