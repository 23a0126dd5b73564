"""The walk over a syntax tree: each kind of node is allowed or refused, typed, and written as SQL."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from transforms.bound_definitions import Parameter
from transforms.expression_calls import call
from transforms.expression_errors import Fault, place_of
from transforms.expression_operators import arithmetic, calculated
from transforms.expression_parts import (
    ARITHMETIC,
    COMPARISONS,
    MAX_INTEGER,
    REFUSED,
    cast_target,
    function_of,
    in_count,
)
from transforms.functions import BOOLEAN, FUNCTIONS, checked_pattern, number, text, want
from transforms.sql_values import NULL, Conversion, Mismatch, Sql, name, quote, spoken, unify, unify_values
from transforms.types import ColumnType
from transforms.window_clauses import Over
from transforms.yaml_source import suggestion

MAX_SQL = 100_000
LIKE = re.compile(r"([^\\]|\\[%_\\])*", re.DOTALL)
NUMBER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Scope:
    """What an expression may use. `over` are the OVER clauses where windows are meant; `ordered`: it has an order."""

    columns: Mapping[str, ColumnType]
    conversion: Conversion
    parameters: Mapping[str, Parameter]
    aggregate: bool
    over: Over | None
    ordered: bool


class Walker:
    """One walk. Afterwards `used` has the columns; `aggregated`, `windowed` say whether such functions were met."""

    def __init__(self, scope: Scope) -> None:
        self.scope, self.conversion = scope, scope.conversion
        self.used: set[str] = set()
        self.aggregated = self.windowed = self.by_row = False
        self.inside_group = False

    @staticmethod
    def check_known(node: exp.Expr) -> None:
        """Refuse kinds of nodes and functions that no expression may have."""
        if type(node) in REFUSED and not (type(node) in (exp.Star, exp.Distinct) and in_count(node)):
            raise Fault(REFUSED[type(node)], place_of(node))
        if isinstance(node, exp.Anonymous):
            function_of(node)

    def render(self, node: exp.Expr) -> Sql:
        """The SQL of a node. Raises Fault with the innermost place that is known."""
        if type(node) in REFUSED:
            raise Fault(REFUSED[type(node)], place_of(node))
        handler = HANDLERS.get(type(node))
        if handler is None:
            raise Fault(f"'{type(node).__name__}' is not allowed in an expression", place_of(node))
        try:
            value = handler(self, node)
        except Mismatch as mismatch:
            raise Fault(str(mismatch), place_of(node)) from mismatch
        if len(value.text) > MAX_SQL:
            raise Fault("it becomes too long for an engine; compute parts of it in a node before", place_of(node))
        return value

    def column(self, node: exp.Column) -> Sql:
        identifier = node.this
        if node.args.get("table") or not isinstance(identifier, exp.Identifier):
            raise Fault("a column has no prefix; a name with a dot is written `a.b` in backticks", place_of(node))
        kind = self.scope.columns.get(identifier.name)
        if kind is None:
            close = suggestion(identifier.name, self.scope.columns)
            raise Fault(f"there is no column '{identifier.name}'.{close}", place_of(node), list(self.scope.columns))
        if self.scope.aggregate and not self.inside_group:
            raise Fault(
                f"column '{identifier.name}' must stand inside an aggregate function, for example max(...)",
                place_of(node),
            )
        self.used.add(identifier.name)
        return Sql(name(identifier.name), kind)

    def parameter(self, node: exp.Placeholder) -> Sql:
        """A value of the pipeline's, as a constant of its type: its text is no part of the expression."""
        key = node.this if isinstance(node.this, str) else ""
        known = self.scope.parameters
        if key not in known:
            hint = suggestion(key, known) if known else " A pipeline declares them in `parameters`."
            raise Fault(f"there is no parameter ':{key}'.{hint}", place_of(node), [f":{name}" for name in known])
        return self.conversion.constant(known[key].default, known[key].parsed)

    def literal(self, node: exp.Literal) -> Sql:
        if node.is_string:
            return Sql(quote(node.this), ColumnType("string"), literal=node.this)
        digits = node.this
        if digits.isdigit():
            if int(digits) > MAX_INTEGER:
                raise Fault(f"{digits[:40]} is too large for an integer", place_of(node))
            return Sql(str(int(digits)), ColumnType("integer"), exact=False, literal=int(digits))
        whole, _, fraction = digits.partition(".")
        if (whole + fraction).isdigit() and "." in digits and len(whole.lstrip("0") + fraction) <= 38:
            whole = whole.lstrip("0")
            kind = ColumnType("decimal", precision=max(1, len(whole) + len(fraction)), scale=len(fraction))
            return Sql(f"CAST('{whole or '0'}.{fraction or '0'}' AS {kind.sql})", kind)
        if not NUMBER.fullmatch(digits):
            raise Fault(f"'{digits[:40]}' is not a number", place_of(node))
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            raise Fault(f"{digits[:40]} is too large for a double", place_of(node))
        return Sql(f"CAST('{value!r}' AS DOUBLE)", ColumnType("double"), literal=value)

    def raw_string(self, node: exp.RawString) -> Sql:
        return Sql(quote(node.name), ColumnType("string"), literal=node.name)

    def boolean(self, node: exp.Boolean) -> Sql:
        return Sql("TRUE" if node.this else "FALSE", BOOLEAN, literal=bool(node.this))

    def null(self, node: exp.Null) -> Sql:  # noqa: ARG002 - the shape of all handlers
        return Sql("NULL", NULL)

    def paren(self, node: exp.Paren) -> Sql:
        return self.render(node.this)

    def condition(self, node: exp.Expr) -> Sql:
        value = self.render(node)
        try:
            return want(value, ("boolean",), self.conversion)
        except Mismatch as mismatch:
            raise Fault(f"a condition is needed here; this is {spoken(value.type)}", place_of(node)) from mismatch

    def both(self, node: exp.Binary) -> Sql:
        left, right = self.condition(node.left), self.condition(node.right)
        word = "AND" if isinstance(node, exp.And) else "OR"
        return Sql(
            f"({left.text} {word} {right.text})", BOOLEAN.with_nullable(nullable=left.nullable or right.nullable)
        )

    def negation(self, node: exp.Not) -> Sql:
        value = self.condition(node.this)
        return Sql(f"(NOT {value.text})", value.type)

    def together(self, nodes: list[exp.Expr]) -> tuple[list[str], bool]:
        """Values brought to one type, and whether one of them may be null."""
        values = [self.render(node) for node in nodes]
        values = self.moments_written_out(values)
        target = unify_values(values)
        if target.kind == "null":
            raise Mismatch("NULL is compared with IS NULL")
        return [self.conversion.cast(value, target).text for value in values], any(value.nullable for value in values)

    def moments_written_out(self, values: list[Sql]) -> list[Sql]:
        """Texts that are compared with dates or timestamps are read as such."""
        moments = [value.type for value in values if value.type.kind in ("date", "timestamp")]
        if not moments:
            return values
        target = unify(moments)
        return [
            self.conversion.cast(value, target) if value.type.kind == "string" and value.literal is not None else value
            for value in values
        ]

    def comparison(self, node: exp.Binary) -> Sql:
        (left, right), nullable = self.together([node.left, node.right])
        nullable = nullable and not isinstance(node, exp.NullSafeEQ)
        return Sql(f"({left} {COMPARISONS[type(node)]} {right})", BOOLEAN.with_nullable(nullable=nullable))

    def distinct_from(self, node: exp.Binary) -> Sql:
        (left, right), _ = self.together([node.left, node.right])
        return Sql(f"(NOT ({left} <=> {right}))", BOOLEAN)

    def between(self, node: exp.Between) -> Sql:
        if node.args.get("symmetric"):
            raise Fault("BETWEEN SYMMETRIC is not allowed", place_of(node))
        (value, low, high), nullable = self.together([node.this, node.args["low"], node.args["high"]])
        return Sql(f"({value} BETWEEN {low} AND {high})", BOOLEAN.with_nullable(nullable=nullable))

    def one_of(self, node: exp.In) -> Sql:
        if node.args.get("query") or node.args.get("unnest") or node.args.get("field") or not node.expressions:
            raise Fault("IN takes a list of values in parentheses", place_of(node))
        (value, *others), nullable = self.together([node.this, *node.expressions])
        return Sql(f"({value} IN ({', '.join(others)}))", BOOLEAN.with_nullable(nullable=nullable))

    def identity(self, node: exp.Is) -> Sql:
        value = self.render(node.this)
        if isinstance(node.expression, exp.Null):
            return Sql(f"({value.text} IS NULL)", BOOLEAN)
        if isinstance(node.expression, exp.Boolean):
            condition = self.condition(node.this)
            return Sql(f"({condition.text} <=> {'TRUE' if node.expression.this else 'FALSE'})", BOOLEAN)
        raise Fault("IS takes NULL, NOT NULL, TRUE or FALSE", place_of(node))

    def like(self, node: exp.Binary) -> Sql:
        """Upper and lower case are those of `lower`; what a backslash means elsewhere than before `%_\\` differs."""
        subject, pattern = text(self.render(node.left), self.conversion), self.render(node.right)
        if not isinstance(pattern.literal, str):
            raise Fault("LIKE takes a pattern written out in quotes; see contains, startswith", place_of(node.right))
        if not LIKE.fullmatch(pattern.literal):
            raise Fault("in a pattern of LIKE a backslash stands before %, _ or \\ only", place_of(node.right))
        sides = [subject.text, pattern.text]
        if isinstance(node, exp.ILike):
            sides = [f"LOWER({side})" for side in sides]
        return Sql(f"({sides[0]} LIKE {sides[1]})", BOOLEAN.with_nullable(nullable=subject.nullable))

    def matches(self, node: exp.RegexpLike) -> Sql:
        subject, pattern = text(self.render(node.this), self.conversion), checked_pattern(self.render(node.expression))
        return Sql(f"({subject.text} RLIKE {pattern})", BOOLEAN.with_nullable(nullable=subject.nullable))

    def concatenation(self, node: exp.DPipe) -> Sql:
        return FUNCTIONS["concat"].render([self.render(node.left), self.render(node.right)], self.conversion)

    def minus(self, node: exp.Neg) -> Sql:
        value = number(self.render(node.this), self.conversion)
        if isinstance(value.literal, int | float):
            return Sql(f"(-{value.text})", value.type, exact=value.exact, literal=-value.literal)
        if value.type.kind == "double":
            return Sql(f"(-{value.text})", value.type)
        zero = Sql("0", ColumnType("integer"), exact=False, literal=0)
        negative = calculated(exp.Sub, zero, value, self.conversion)
        if value.type.kind == "integer":
            return negative
        return Sql(f"CAST({negative.text} AS {value.type.sql})", value.type)

    def cast(self, node: exp.Cast) -> Sql:
        if node.args.get("format") or node.args.get("default") or node.args.get("action"):
            raise Fault("CAST takes a value and a type only; to_date(text, format) reads other forms", place_of(node))
        return self.conversion.cast(self.render(node.this), cast_target(node.to))

    def case(self, node: exp.Case) -> Sql:
        branches, default = node.args["ifs"], node.args.get("default")
        conditions = [
            self.comparison(exp.EQ(this=node.this, expression=branch.this)).text
            if node.this
            else self.condition(branch.this).text
            for branch in branches
        ]
        values = [self.render(branch.args["true"]) for branch in branches]
        otherwise = self.render(default) if default is not None else Sql("NULL", NULL)
        result = unify_values([*values, otherwise])
        whens = [
            f"WHEN {condition} THEN {self.conversion.cast(value, result).text}"
            for condition, value in zip(conditions, values, strict=True)
        ]
        return Sql(f"CASE {' '.join(whens)} ELSE {self.conversion.cast(otherwise, result).text} END", result)


HANDLERS: dict[type[exp.Expr], Callable[[Walker, Any], Sql]] = {
    exp.Column: Walker.column,
    exp.Placeholder: Walker.parameter,
    exp.Literal: Walker.literal,
    exp.RawString: Walker.raw_string,
    exp.Boolean: Walker.boolean,
    exp.Null: Walker.null,
    exp.Paren: Walker.paren,
    exp.And: Walker.both,
    exp.Or: Walker.both,
    exp.Not: Walker.negation,
    exp.NullSafeNEQ: Walker.distinct_from,
    exp.Between: Walker.between,
    exp.In: Walker.one_of,
    exp.Is: Walker.identity,
    exp.Like: Walker.like,
    exp.ILike: Walker.like,
    exp.RegexpLike: Walker.matches,
    exp.DPipe: Walker.concatenation,
    exp.Neg: Walker.minus,
    exp.Cast: Walker.cast,
    exp.TryCast: Walker.cast,
    exp.Case: Walker.case,
    exp.Anonymous: call,
    **dict.fromkeys(COMPARISONS, Walker.comparison),
    **dict.fromkeys(ARITHMETIC, arithmetic),
}
