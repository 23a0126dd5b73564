"""Expressions of users (filters, computed columns, aggregates, windows): text in, checked SQL and its type out.

The text is Spark SQL, parsed by sqlglot with all functions taken as mere names, walked against an allow-list
(`transforms.expression_nodes`, `transforms.functions`), typed, and written anew. No character of the user's text
reaches an engine except inside quoted literals and quoted column names.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.parsers.spark import SparkParser
from sqlglot.tokenizer_core import Token, TokenType

import transforms.functions_of_groups
import transforms.functions_of_numbers
import transforms.functions_of_text
import transforms.functions_of_time  # noqa: F401 - all enter their functions into the table
from transforms.bound_definitions import Parameter
from transforms.day_partition import DayPartition
from transforms.expression_errors import ExpressionError, Fault
from transforms.expression_nodes import Scope, Walker
from transforms.ordering import Ordering, ordering
from transforms.sql_values import Conversion, Mismatch, Sql, name, not_negative_zero
from transforms.types import ColumnType, parse_type
from transforms.window_clauses import Over
from transforms.yaml_source import suggestion

MAX_LENGTH = 4000
MAX_TOKENS = 800
MAX_NESTING = 30
NO_PARAMETERS: Mapping[str, Parameter] = MappingProxyType({})


class _Parser(SparkParser):
    """Every call is a bare name with arguments: nothing is rewritten before it is checked."""

    FUNCTIONS = {}  # noqa: RUF012 - sqlglot's own way to configure
    PLACEHOLDER_PARSERS = {TokenType.COLON: lambda self: self.parameter()}  # noqa: RUF012
    FUNCTION_PARSERS = {key: SparkParser.FUNCTION_PARSERS[key] for key in ("CAST", "TRY_CAST")}  # noqa: RUF012
    NO_PAREN_FUNCTIONS = {}  # noqa: RUF012
    NO_PAREN_FUNCTION_PARSERS = {"CASE": SparkParser.NO_PAREN_FUNCTION_PARSERS["CASE"]}  # noqa: RUF012

    def parameter(self) -> exp.Expr | None:
        """`:name`, with its place; sqlglot's own has none."""
        start = self._prev.start
        if not self._match_set(self.COLON_PLACEHOLDER_TOKENS):
            return None
        node = exp.Placeholder(this=self._prev.text)
        node.meta["start"] = start
        return node


class _Dialect(Spark):
    Parser = _Parser

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """As it came: paths into JSON are refused anyway, and reading them logs warnings."""
        return path


@dataclass(frozen=True)
class Expression:
    """Checked SQL (identifiers quoted, conversions written out), the columns it reads, its type in our grammar."""

    sql: str
    columns: frozenset[str]
    type: str
    literal: Any = None
    """Its value where it is one that is written out."""
    by_row: bool = False
    """Whether it depends on the place of each row in a window, which all columns settle."""


def compile_expression(
    text: str,
    columns: Mapping[str, str],
    *,
    where: str,
    aggregate: bool = False,
    window: bool = False,
    partition_by: Sequence[str] = (),
    order_by: Sequence[str] = (),
    rows: str = "",
    timezone: str = "UTC",
    parameters: Mapping[str, Parameter] = NO_PARAMETERS,
    lenient: bool = False,
) -> Expression:
    """Check an expression over columns (name -> type) and write its SQL. Raises ExpressionError, which names the place.

    `aggregate`: columns stand inside aggregate functions only. `window`: window functions and aggregates get the window
    `partition_by`, `order_by` (entries such as `mean` or `mean desc`);
    aggregates the frame `rows`. `timezone`: of local dates and times (the
    session itself runs in UTC). `parameters`: what `:name` stands for. `lenient`: text is converted unasked where a
    number, date or time is needed. What can't be converted is null.
    """
    conversion = Conversion(timezone, lenient)
    types = {column: parse_type(kind) for column, kind in columns.items()}
    over = _over(partition_by, order_by, types, rows, where) if window else None
    walker = Walker(Scope(types, conversion, parameters, aggregate=aggregate, over=over, ordered=bool(order_by)))
    try:
        value = _whole(walker, parse(text, types))
    except Fault as fault:
        raise ExpressionError(fault, text, where) from fault
    except Mismatch as mismatch:
        raise ExpressionError(Fault(str(mismatch)), text, where) from mismatch
    except RecursionError as error:
        raise ExpressionError(Fault("it is nested too deeply"), text, where) from error
    return Expression(value.text, frozenset(walker.used), value.type.text, value.literal, walker.by_row)


def _whole(walker: Walker, tree: exp.Expr) -> Sql:
    """The value of a whole expression, in the very type that it is said to have."""
    value = walker.render(tree)
    if value.type.kind == "null":
        raise Fault("NULL alone has no type; write cast(NULL AS string) or another type")
    if walker.scope.aggregate and not walker.aggregated:
        raise Fault("there is no aggregate function here; write for example max(...)")
    if walker.scope.over is not None and not walker.windowed:
        raise Fault("there is no window function or aggregate here; use `compute` for it")
    return value if value.exact else replace(walker.conversion.cast(value, value.type), literal=value.literal)


def compile_filter(
    text: str,
    columns: Mapping[str, str],
    *,
    where: str,
    timezone: str = "UTC",
    parameters: Mapping[str, Parameter] = NO_PARAMETERS,
) -> Expression:
    """A condition: an expression whose type is boolean."""
    expression = compile_expression(text, columns, where=where, timezone=timezone, parameters=parameters)
    if parse_type(expression.type).kind != "boolean":
        raise ExpressionError(Fault(f"is {expression.type}, not a condition (true or false)"), text, where)
    return expression


def compile_partition(
    partition: DayPartition, columns: Mapping[str, str], *, where: str, timezone: str = "UTC"
) -> Expression:
    """The date of a row's partition (for months their first day), over raw text columns; null where it has none."""
    expression = compile_expression(partition.of, columns, where=where, timezone=timezone, lenient=True)
    kind = parse_type(expression.type)
    if kind.kind not in ("date", "timestamp", "string"):
        raise ExpressionError(Fault(f"is {expression.type}, not a date"), partition.of, where)
    day = Conversion(timezone, lenient=True).cast(Sql(expression.sql, kind), ColumnType("date"))
    sql = day.text
    if partition.by == "month":
        sql = f"CAST(DATE_TRUNC('MONTH', CAST({sql} AS TIMESTAMP)) AS DATE)"
    return Expression(sql, expression.columns, "date?")


def check_syntax(text: str, *, where: str) -> None:
    """Check what can be checked without columns: that the text is one expression of known functions."""
    try:
        for node in parse(text).walk():
            Walker.check_known(node)
    except Fault as fault:
        raise ExpressionError(fault, text, where) from fault


def parse(text: str, columns: Iterable[str] = ()) -> exp.Expr:
    """The syntax tree of one expression. Raises Fault, with a hint where one of the columns is named like a keyword."""
    if len(text) > MAX_LENGTH:
        raise Fault(f"it is longer than {MAX_LENGTH} characters")
    try:
        tokens = _Dialect().tokenize(text)
        _check_tokens(tokens)
        trees = _Dialect().parser().parse(tokens, text)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        said, column = str(first.get("description") or "it can't be read"), first.get("col")
        length = len(str(first.get("highlight") or "")) or 1
        hint = _keyword_hint(text, columns)
        raise Fault(f"it is not an expression: {said}{hint}", column - length + 1 if column else None) from error
    except (TokenError, SqlglotError, RecursionError) as error:
        raise Fault("it is not an expression: a quote or bracket is not closed, or it is nested too deeply") from error
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        # sqlglot's parser trips over some malformed texts; that is a fault of the text all the same.
        raise Fault("it is not an expression") from error
    if len(trees) != 1 or trees[0] is None:
        raise Fault("one expression is needed" if len(trees) > 1 else "it is empty")
    return trees[0]


def _keyword_hint(text: str, columns: Iterable[str]) -> str:
    keywords = {word for word in re.findall(r"\w+", text) if word.upper() in Spark.Tokenizer.KEYWORDS}
    named = sorted(keywords & set(columns))
    return f"; `{named[0]}` is a word of SQL: write the column in backticks" if named else ""


def _check_tokens(tokens: list[Token]) -> None:
    nesting = 0
    if len(tokens) > MAX_TOKENS:
        raise Fault(f"it has more than {MAX_TOKENS} words and signs")
    for token in tokens:
        if token.comments:
            raise Fault("comments are not allowed in it; write `description` or a YAML comment", token.start + 1)
        if token.token_type == TokenType.SEMICOLON:
            raise Fault("';' is not allowed in it", token.start + 1)
        if token.token_type in (TokenType.L_PAREN, TokenType.CASE):
            nesting += 1
        elif token.token_type in (TokenType.R_PAREN, TokenType.END):
            nesting -= 1
        if nesting > MAX_NESTING:
            raise Fault(f"it is nested deeper than {MAX_NESTING} levels", token.start + 1)


def strict_order(order_by: Sequence[str], types: Mapping[str, ColumnType]) -> list[Ordering]:
    """The entries, and behind them all other columns, which decide where `order_by` leaves rows equal. Rows that are
    equal in all of them are the same."""
    entries = [ordering(entry, types) for entry in order_by]
    named = {entry.column for entry in entries}
    others = sorted(column for column, kind in types.items() if column not in named and kind.kind != "geopoint")
    return entries + [Ordering(column) for column in others]


def ordered_by(entries: Iterable[Ordering], types: Mapping[str, ColumnType]) -> str:
    """An ORDER BY clause."""
    keys = [(not_negative_zero(Sql(name(entry.column), types[entry.column])), entry.sql) for entry in entries]
    return "ORDER BY " + ", ".join(f"{key} {way}" for key, way in keys)


def _over(
    partition_by: Sequence[str], order_by: Sequence[str], types: Mapping[str, ColumnType], rows: str, where: str
) -> Over:
    """The OVER clauses of a window."""
    order = [ordering(entry, types) for entry in order_by]
    for column in [*partition_by, *(entry.column for entry in order)]:
        if column not in types:
            hint = suggestion(column, types)
            raise ExpressionError(Fault(f"there is no column '{column}'.{hint}", allowed=list(types)), column, where)
    bounds = "PARTITION BY " + ", ".join(name(column) for column in partition_by) if partition_by else ""
    peers = ordered_by(order, types) if order else ""
    strictly = ordered_by(strict_order(order_by, types), types) if order else ""

    def clause(*parts: str) -> str:
        return f"OVER ({' '.join(part for part in (bounds, *parts) if part)})"

    return Over(clause(peers), clause(strictly), clause(strictly, rows) if rows else clause(peers))
