"""The canonical form once more, in Spark SQL: written from the rules in `ontology_assets.canonical`, not from its code.

A third opinion for the tests: what a stranger with an engine and the written rules makes of the same values. Only
functions that Spark and Sail share are used; how an engine itself writes a double is brought to the rules' form, step
by step, each a column of its own.
"""

from collections.abc import Mapping
from typing import Any

from transforms.sql_values import name, quote
from transforms.types import ColumnType

SHORT = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r"}
DIGITS = (
    # (step, SQL over the steps before); v is the double
    ("written", "lower(CAST(abs({v}) AS STRING))"),
    ("mantissa", "split({written}, 'e')[0]"),
    ("power", "coalesce(CAST(split({written}, 'e')[1] AS INT), 0)"),
    ("whole", "split({mantissa}, '[.]')[0]"),
    ("digits", "concat({whole}, coalesce(split({mantissa}, '[.]')[1], ''))"),
    ("bare", "regexp_replace({digits}, '^0+', '')"),
    ("point", "length({whole}) - (length({digits}) - length({bare})) + {power}"),  # the value is 0.NUMBER * 10^point
    ("number", "regexp_replace({bare}, '0+$', '')"),
    ("rest", "if(length({number}) > 1, concat('.', substr({number}, 2)), '')"),
    ("exponent", "CAST(abs({point} - 1) AS STRING)"),
    (
        "json",
        "CASE WHEN {v} = 0 THEN '0.0' ELSE concat(if({v} < 0, '-', ''), CASE "
        "WHEN {point} BETWEEN -3 AND 0 THEN concat('0.', repeat('0', -{point}), {number}) "
        "WHEN {point} BETWEEN 1 AND 16 AND {point} < length({number}) "
        "THEN concat(substr({number}, 1, {point}), '.', substr({number}, {point} + 1)) "
        "WHEN {point} BETWEEN 1 AND 16 THEN concat(rpad({number}, {point}, '0'), '.0') "
        "ELSE concat(substr({number}, 1, 1), {rest}, if({point} < 1, 'e-', 'e+'), "
        "if(length({exponent}) < 2, '0', ''), {exponent}) END) END",
    ),
)
"""The shortest digits, which the engine has found, in the form of Python's `repr`."""


def with_state(frame: Any, properties: Mapping[str, ColumnType], links: Mapping[str, str]) -> Any:
    """The frame with a column `state`. `links`: link name -> an integer column that is the target's key, or null."""
    doubles = {column: name(column) for column, kind in properties.items() if kind.kind == "double"}
    for column, kind in properties.items():
        if kind.kind == "geopoint":
            doubles |= {f"{column}_{part}": f"{name(column)}.{part}" for part in ("lat", "lon")}
    done: list[str] = []
    for step, sql in DIGITS:
        new = [
            f"{sql.format(v=value, **{one: f'`{key}:{one}`' for one in done})} AS `{key}:{step}`"
            for key, value in doubles.items()
        ]
        frame = frame.selectExpr("*", *new)
        done.append(step)
    return frame.selectExpr("*", f"{state_sql(properties, links)} AS state")


def state_sql(properties: Mapping[str, ColumnType], links: Mapping[str, str]) -> str:
    targets = [
        entry(link, column, joined("'[\"'", f"CAST({name(column)} AS STRING)", "'\"]'"))
        for link, column in sorted(links.items())
    ]
    fields = [entry(column, column, json_sql(column, kind)) for column, kind in sorted(properties.items())]
    return joined(
        quote('{"links":{'),
        f"concat_ws(',', {', '.join(targets)})",
        quote('},"properties":{'),
        f"concat_ws(',', {', '.join(fields)})",
        quote("}}"),
    )


def entry(member: str, column: str, value: str) -> str:
    """`"member":value`, null where the column is: `concat_ws` leaves it out."""
    named = quote(f'"{member}":')
    return f"CASE WHEN {name(column)} IS NOT NULL THEN {joined(named, value)} END"


def json_sql(column: str, kind: ColumnType) -> str:
    """SQL of the JSON of a value that is not null."""
    value = name(column)
    match kind.kind:
        case "string" | "enum":
            return quoted(value)
        case "integer" | "boolean":
            return f"CAST({value} AS STRING)"
        case "double":
            return f"`{column}:json`"
        case "geopoint":
            return joined(
                quote('{"lat":'), f"`{column}_lat:json`", quote(',"lon":'), f"`{column}_lon:json`", quote("}")
            )
        case "timestamp":
            moment = f"date_format({value}, \"yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'\")"
            return joined(quote('"'), moment, quote('"'))
        case _:
            return joined(quote('"'), f"CAST({value} AS STRING)", quote('"'))


def quoted(value: str) -> str:
    """The text in quotes; what JSON demands is escaped, the backslash first."""
    escaped = f"replace({value}, chr(92), concat(chr(92), chr(92)))"
    escaped = f"replace({escaped}, '\"', concat(chr(92), '\"'))"
    for code in range(32):
        form = f"'{SHORT[code]}'" if code in SHORT else f"'u{code:04x}'"
        letter = f"CAST(unhex('{code:02x}') AS STRING)"
        escaped = f"replace({escaped}, {letter}, concat(chr(92), {form}))"
    return joined(quote('"'), escaped, quote('"'))


def joined(*parts: str) -> str:
    return f"concat({', '.join(parts)})"
