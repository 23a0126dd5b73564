"""The canonical form once more, in Spark SQL: written from the rules in `ontology_assets.canonical`, not from its code.

A third opinion for the tests: what a stranger with an engine and the written rules makes of the same values. Only
functions that Spark and Sail share are used; how an engine itself writes a double is brought to the rules' form.
"""

from collections.abc import Mapping

from transforms.sql_values import name, quote
from transforms.types import ColumnType

SHORT = {8: "b", 9: "t", 10: "n", 12: "f", 13: "r"}


def state_sql(properties: Mapping[str, ColumnType], links: Mapping[str, str]) -> str:
    """SQL of the state's text. `links`: link name -> an integer column that is the target's whole key, or null."""
    targets = [
        entry(link, column, joined("'[\"'", f"CAST({name(column)} AS STRING)", "'\"]'"))
        for link, column in sorted(links.items())
    ]
    fields = [entry(column, column, json_sql(name(column), kind)) for column, kind in sorted(properties.items())]
    return joined(
        quote('{"links":{'), f"concat_ws(',', {', '.join(targets)})",
        quote('},"properties":{'), f"concat_ws(',', {', '.join(fields)})", quote("}}"),
    )  # fmt: skip


def entry(member: str, column: str, value: str) -> str:
    """`"member":value`, null where the column is: `concat_ws` leaves it out."""
    return f"CASE WHEN {name(column)} IS NOT NULL THEN {joined(quoted_name(member), value)} END"


def json_sql(value: str, kind: ColumnType) -> str:
    """SQL of the JSON of a value that is not null."""
    match kind.kind:
        case "string" | "enum":
            return quoted(value)
        case "integer" | "boolean":
            return f"CAST({value} AS STRING)"
        case "double":
            return double(value)
        case "geopoint":
            latitude, longitude = double(f"{value}.lat"), double(f"{value}.lon")
            return joined(quote('{"lat":'), latitude, quote(',"lon":'), longitude, quote("}"))
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


def double(value: str) -> str:
    """The shortest digits that the engine has written, in the form of Python's `repr`."""
    written = f"lower(CAST(abs({value}) AS STRING))"
    mantissa, power = f"split({written}, 'e')[0]", f"coalesce(TRY_CAST(split({written}, 'e')[1] AS INT), 0)"
    whole, part = f"split({mantissa}, '[.]')[0]", f"coalesce(split({mantissa}, '[.]')[1], '')"
    digits = f"concat({whole}, {part})"
    bare = f"regexp_replace({digits}, '^0+', '')"
    number = f"regexp_replace({bare}, '0+$', '')"
    point = f"(length({whole}) - (length({digits}) - length({bare})) + {power})"
    """Digits before the decimal point of 0.NUMBER * 10^point."""
    plain = (
        f"CASE WHEN {point} <= 0 THEN concat('0.', repeat('0', -{point}), {number}) "
        f"WHEN {point} >= length({number}) THEN concat(rpad({number}, {point}, '0'), '.0') "
        f"ELSE concat(substr({number}, 1, {point}), '.', substr({number}, {point} + 1)) END"
    )
    rest = f"if(length({number}) > 1, concat('.', substr({number}, 2)), '')"
    exponent = f"CAST(abs({point} - 1) AS STRING)"
    sign = f"if({point} < 1, 'e-', 'e+')"
    powered = f"concat(substr({number}, 1, 1), {rest}, {sign}, if(length({exponent}) < 2, '0', ''), {exponent})"
    form = f"CASE WHEN {point} - 1 BETWEEN -4 AND 15 THEN {plain} ELSE {powered} END"
    return f"CASE WHEN {value} = 0 THEN '0.0' ELSE concat(if({value} < 0, '-', ''), {form}) END"


def quoted_name(member: str) -> str:
    return quote(f'"{member}":')


def joined(*parts: str) -> str:
    return f"concat({', '.join(parts)})"
