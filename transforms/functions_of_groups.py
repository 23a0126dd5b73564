"""Aggregates and window functions, entered into the table of `transforms.functions`.

Only functions whose result does not depend on the order in which rows happen to arrive: a re-run must give the same.
"""

from transforms.functions import BOOLEAN, DOUBLE, INTEGER, OVER, any_null, define, number, small, want
from transforms.sql_values import Conversion, Mismatch, Sql, not_negative_zero, unify_values
from transforms.types import ColumnType

MOST_DIGITS_OF_AVERAGES = 21


@define("count(value) · count(*) · count(DISTINCT value)", 1, kind="aggregate", takes_star=True, distinct=True)
def _count(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001 - the shape of all renderers
    return Sql(f"COUNT({arguments[0].text})", INTEGER)


@define("count_distinct(value)", 1, kind="aggregate")
def _count_distinct(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
    return Sql(f"COUNT(DISTINCT {not_negative_zero(arguments[0])})", INTEGER)


@define("count_if(condition)", 1, kind="aggregate")
def _count_if(arguments: list[Sql], conversion: Conversion) -> Sql:
    return Sql(f"COUNT_IF({want(arguments[0], ('boolean',), conversion).text})", INTEGER)


@define("sum(number)", 1, kind="aggregate")
def _sum(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = number(arguments[0], conversion)
    result = value.type.with_nullable(nullable=True)
    if result.kind == "decimal":
        result = ColumnType("decimal", nullable=True, precision=min(38, result.precision + 10), scale=result.scale)
    if result.kind == "integer":
        # What is too large is missing: a sum that has come round is wrong, and looks right.
        return Sql(f"TRY_CAST(SUM(CAST({value.text} AS DECIMAL(19, 0))){OVER} AS BIGINT)", result)
    return Sql(f"SUM({value.text})", result, exact=result.kind == "double")


@define("avg(number)", 1, kind="aggregate")
def _avg(arguments: list[Sql], conversion: Conversion) -> Sql:
    value = number(arguments[0], conversion)
    if value.type.kind != "decimal":
        return Sql(f"AVG({value.text})", DOUBLE.with_nullable(nullable=True))
    # Sail cuts off what Spark rounds; so it is divided here, as `transforms.expression_operators` divides decimals.
    precision, scale = value.type.precision, value.type.scale
    if precision > MOST_DIGITS_OF_AVERAGES:
        raise Mismatch(f"takes a decimal of at most {MOST_DIGITS_OF_AVERAGES} digits, not {value.type.base}; cast it")
    result = ColumnType("decimal", nullable=True, precision=precision + 4, scale=scale + 4)
    total = f"CAST(SUM({value.text}){OVER} AS DECIMAL({precision + 13}, {scale + 3}))"
    count = f"CAST(NULLIF(COUNT({value.text}){OVER}, 0) AS DECIMAL(19, 0))"
    return Sql(f"CAST(ROUND({total} / {count}, {result.scale}) AS {result.sql})", result)


def _extreme(call: str, usage: str) -> None:
    @define(usage, 1, kind="aggregate")
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
        value = arguments[0]
        if value.type.kind in ("geopoint", "null"):
            raise Mismatch(f"takes values that have an order, not {value.type.kind}")
        sql = f"{call}({not_negative_zero(value)})"
        return Sql(sql, value.type.with_nullable(nullable=True), exact=value.exact)


_extreme("MIN", "min(value)")
_extreme("MAX", "max(value)")
# The first row of a group is not defined; the smallest value is, and is the same where all rows agree, as they should.
_extreme("MIN", "first(value)")
_extreme("MIN", "any_value(value)")


@define("bool_and(condition)", 1, kind="aggregate")
def _bool_and(arguments: list[Sql], conversion: Conversion) -> Sql:
    return Sql(f"BOOL_AND({want(arguments[0], ('boolean',), conversion).text})", BOOLEAN.with_nullable(nullable=True))


@define("bool_or(condition)", 1, kind="aggregate")
def _bool_or(arguments: list[Sql], conversion: Conversion) -> Sql:
    return Sql(f"BOOL_OR({want(arguments[0], ('boolean',), conversion).text})", BOOLEAN.with_nullable(nullable=True))


def _ranking(name: str) -> None:
    @define(f"{name}()", 0, kind="window", needs_order=True, strict=name == "row_number")
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
        return Sql(f"{name.upper()}()", INTEGER, exact=False)


for _name in ("rank", "dense_rank", "row_number"):
    _ranking(_name)


@define("percent_rank()", 0, kind="window", needs_order=True)
def _percent_rank(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
    return Sql("PERCENT_RANK()", DOUBLE)


@define("cume_dist()", 0, kind="window", needs_order=True)
def _cume_dist(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
    return Sql("CUME_DIST()", DOUBLE)


@define("ntile(number)", 1, kind="window", needs_order=True, strict=True)
def _ntile(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
    if not isinstance(arguments[0].literal, int) or arguments[0].literal < 1:
        raise Mismatch("takes a positive number, written out")
    return Sql(f"NTILE({arguments[0].text})", INTEGER, exact=False)


def _neighbour(name: str) -> None:
    @define(f"{name}(value, distance, default)", 1, 3, kind="window", needs_order=True, strict=True)
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        value, others = arguments[0], arguments[1:]
        if others and (not isinstance(others[0].literal, int) or others[0].literal < 0):
            raise Mismatch("takes a distance of 0 or more rows, written out")
        distance = small(others[0], conversion) if others else "1"
        if len(others) < 2:
            return Sql(
                f"{name.upper()}({value.text}, {distance})", value.type.with_nullable(nullable=True), exact=value.exact
            )
        result = unify_values([value, others[1]]).with_nullable(nullable=any_null([value, others[1]]))
        first, default = conversion.cast(value, result).text, conversion.cast(others[1], result).text
        return Sql(f"{name.upper()}({first}, {distance}, {default})", result)


for _name in ("lag", "lead"):
    _neighbour(_name)


@define("first_value(value)", 1, kind="window", needs_order=True, strict=True)
def _first_value(arguments: list[Sql], conversion: Conversion) -> Sql:  # noqa: ARG001
    return Sql(
        f"FIRST_VALUE({arguments[0].text})", arguments[0].type.with_nullable(nullable=True), exact=arguments[0].exact
    )
