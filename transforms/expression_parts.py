"""What the parts of a syntax tree may be: operators, functions, intervals, types; and what is refused, and why."""

from typing import Any

from sqlglot import exp

from transforms.expression_errors import Fault, place_of
from transforms.function_examples import REFUSED_FUNCTIONS
from transforms.functions import FUNCTIONS, Function
from transforms.sql_values import Mismatch, Sql, integer_digits, narrowed, spoken, unify_values
from transforms.types import SIMPLE, ColumnType, parse_type
from transforms.yaml_source import suggestion

MAX_INTEGER = 2**63 - 1
MAX_DIGITS = 38
COMPARISONS = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "<=>",
}
ARITHMETIC = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%", exp.IntDiv: "DIV"}
TYPE_NAMES = {
    "INT": "integer",
    "BIGINT": "integer",
    "DOUBLE": "double",
    "TEXT": "string",
    "VARCHAR": "string",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPTZ": "timestamp",
    "DECIMAL": "decimal",
}
CAST_TARGETS = [*SIMPLE, "decimal(p,s)"]
REFUSED = {
    exp.Subquery: "a query inside an expression is not allowed; join the other table in a node of its own",
    exp.Select: "a query is not an expression; the nodes of the pipeline say what is read",
    exp.Exists: "a query inside an expression is not allowed",
    exp.Lambda: "functions with -> are not allowed",
    exp.JSONExtract: "functions with -> are not allowed",
    exp.Star: "'*' is not allowed here (only count(*))",
    exp.Alias: "something stands behind the expression; is an operator missing? (The key in the file names the result)",
    exp.Aliases: "something stands behind the expression; is an operator missing?",
    exp.Window: "OVER is not written here: the node's `partition_by` and `order_by` are the window",
    exp.Parameter: "templates are not allowed; a parameter of the pipeline is written :name",
    exp.Concat: "two texts stand side by side; a quote inside text is written \\'",
    exp.Bracket: "'[ ]' is not allowed",
    exp.Dot: "functions have no prefix; only those in the list exist",
    exp.Distinct: "DISTINCT stands only in count(DISTINCT ...)",
}
INTERVALS = {
    "DAY": ("DAY", 1),
    "WEEK": ("DAY", 7),
    "MONTH": ("MONTH", 1),
    "QUARTER": ("MONTH", 3),
    "YEAR": ("MONTH", 12),
}
SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400, "WEEK": 604800}


def in_count(node: exp.Expr) -> bool:
    return isinstance(node.parent, exp.Anonymous) and node.parent.name.lower() == "count"


def function_of(node: exp.Anonymous) -> tuple[str, Function]:
    """The function that a call names. Raises Fault with those that exist."""
    key = node.name.lower()
    if isinstance(node.this, str) and key in REFUSED_FUNCTIONS:
        raise Fault(f"the function '{key}' is not here: {REFUSED_FUNCTIONS[key]}", place_of(node), sorted(FUNCTIONS))
    if not isinstance(node.this, str) or key not in FUNCTIONS:
        raise Fault(f"there is no function '{key}'.{suggestion(key, FUNCTIONS)}", place_of(node), sorted(FUNCTIONS))
    return key, FUNCTIONS[key]


def arithmetic_type(kind: type[exp.Binary], left: Sql, right: Sql) -> ColumnType:
    """The result of an operation: sums, products and remainders of decimals are exact, quotients have at least six
    digits behind the point and one more than the dividend. Raises Mismatch where 38 digits don't suffice."""
    together = unify_values([left, right])
    if kind is exp.Div and together.kind == "integer":
        return ColumnType("double", together.nullable)
    if together.kind != "decimal":
        return together
    p1, s1, p2, s2 = (*digits(narrowed(left)), *digits(narrowed(right)))
    whole = max(p1 - s1, p2 - s2)
    sizes: dict[type[exp.Binary], tuple[int, int]] = {
        exp.Add: (max(s1, s2) + whole + 1, max(s1, s2)),
        exp.Sub: (max(s1, s2) + whole + 1, max(s1, s2)),
        exp.Mul: (p1 + p2 + 1, s1 + s2),
        exp.Div: (p1 - s1 + s2 + max(6, s1 + 1), max(6, s1 + 1)),
        exp.Mod: (min(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2)),
    }
    precision, scale = sizes[kind]
    needed = precision + 5 if kind is exp.Div else precision
    if needed > MAX_DIGITS and (kind is exp.Div or max(MAX_DIGITS - (precision - scale), min(scale, 6)) < scale):
        sides = f"{spoken(narrowed(left))} and {spoken(narrowed(right))}"
        raise Mismatch(f"{sides} need {needed} digits here, and 38 are the most; cast one to a decimal with fewer")
    return ColumnType("decimal", together.nullable, min(max(precision, 1), MAX_DIGITS), scale)


def digits(kind: ColumnType) -> tuple[int, int]:
    """Precision and scale of a number that takes part in decimal arithmetic."""
    return (kind.precision, kind.scale) if kind.kind == "decimal" else (integer_digits(kind), 0)


def interval(node: exp.Expr) -> tuple[int, str]:
    """Number and unit of an INTERVAL that is written out."""
    count, unit = node.this, node.args.get("unit")
    amount = count.name if isinstance(count, exp.Literal) else ""
    if not amount.lstrip("-").isdigit() or len(amount) > 9 or not isinstance(unit, exp.Var):
        raise Fault("an INTERVAL is a whole number and a unit, such as INTERVAL 3 HOURS", place_of(node))
    return int(amount), unit.name.upper().removesuffix("S")


def cast_target(node: Any) -> ColumnType:
    """The type of a CAST, in our grammar."""
    kind = (
        TYPE_NAMES.get(node.this.name) if isinstance(node, exp.DataType) and isinstance(node.this, exp.DType) else None
    )
    if kind is None or (node.expressions and kind not in ("decimal", "string")):
        raise Fault(f"there is no type '{str(node)[:60]}' to cast to", place_of(node), CAST_TARGETS)
    if kind != "decimal":
        return ColumnType(kind)
    sizes = [part.name for part in node.expressions] or ["10", "0"]
    try:
        return parse_type(f"decimal({sizes[0]},{sizes[1] if len(sizes) > 1 else 0})")
    except ValueError as error:
        raise Fault(str(error), place_of(node), CAST_TARGETS) from error
