"""Which texts are values of a type: one written rule per type, the same on every engine.

    integer    an optional minus and digits, within 64 bits           not: +5, 5.0, 1e3, ' 5' double     an optional
    minus, digits with a point, an exponent    not: NaN, inf, what is beyond the range of doubles decimal    as many
    digits as the type has, never rounded          1.50 is a decimal(9,1); 1.55 is not boolean    true, false, in any
    case date       2013-01-31, a day of the calendar timestamp  2013-01-31 10:00[:00[.000000]] with Z or an offset,
    or the domain's local time, which must exist: an hour that the clock skips is no time; of an hour that it has
    twice the first is meant string     every text

Nothing is trimmed and nothing is guessed: what does not fit is a row for the quarantine. Engines' own casts differ in
what else they take (Sail reads `10:00` as today at ten), so a text is held to its form before it is cast.
"""

from transforms.sql_values import name, quote
from transforms.types import ColumnType

INTEGER = r"^-?[0-9]{1,25}$"
DOUBLE = r"^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,5})?$"
BOOLEAN = r"^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
LOCAL = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$"
ZONED = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[-+][0-9]{2}:[0-9]{2})$"
SHORT_OFFSET = r"^(.*[-+][0-9]{2})([0-9]{2})$"
FIRST, LAST = "TIMESTAMP '0001-01-01 00:00:00Z'", "TIMESTAMP '9999-12-31 23:59:59.999999Z'"

EXPECTED = {
    "integer": "a whole number within 64 bits, like 42",
    "double": "a number like 4.2 or 1e3",
    "boolean": "true or false",
    "date": "a day like 2013-01-31",
    "timestamp": "a time like 2013-01-31T10:00:00Z, or an existing local time",
    "string": "a text",
}


def expected(kind: ColumnType) -> str:
    """What a text should have been, in words."""
    if kind.kind == "decimal":
        return f"a number of at most {kind.precision - kind.scale} digits before and {kind.scale} after the point"
    return EXPECTED[kind.kind]


def missing(column: str, nulls: list[str]) -> str:
    """SQL: the column has no value."""
    texts = ", ".join(quote(text) for text in nulls)
    is_null = f"{name(column)} IS NULL"
    return f"({is_null} OR {name(column)} IN ({texts}))" if nulls else is_null


def typed(column: str, kind: ColumnType, nulls: list[str], timezone: str) -> str:
    """SQL of the column's value in its type; null where it has none or where its text does not fit."""
    text = name(column)
    return f"CASE WHEN {missing(column, nulls)} THEN CAST(NULL AS {kind.sql}) {_when(text, kind, timezone)} END"


def _when(text: str, kind: ColumnType, timezone: str) -> str:
    attempt = f"TRY_CAST({text} AS {kind.sql})"
    if kind.kind == "timestamp":
        return _when_timestamp(text, timezone)
    return {
        "string": f"ELSE {text}",
        # Most integers are written plainly: comparing the text with what is read back is cheaper than a pattern.
        "integer": f"WHEN CAST({attempt} AS STRING) = {text} THEN {attempt} "
        f"WHEN {text} RLIKE {quote(INTEGER)} THEN {attempt}",
        "double": f"WHEN {text} RLIKE {quote(DOUBLE)} AND ABS({attempt}) < CAST('Infinity' AS DOUBLE) THEN {attempt}",
        "decimal": f"WHEN {text} RLIKE {quote(decimal_form(kind))} THEN {attempt}",
        "boolean": f"WHEN {text} RLIKE {quote(BOOLEAN)} THEN LOWER({text}) = 'true'",
        "date": f"WHEN {text} RLIKE {quote(DATE)} AND {text} >= '0001' THEN {attempt}",
    }[kind.kind]


def decimal_form(kind: ColumnType) -> str:
    """Digits that fit; zeros that say nothing may stand around them."""
    whole = f"0*[0-9]{{1,{kind.precision - kind.scale}}}" if kind.precision > kind.scale else "0+"
    if not kind.scale:
        return f"^-?{whole}(\\.0*)?$"
    return f"^-?({whole}(\\.[0-9]{{0,{kind.scale}}}0*)?|\\.[0-9]{{1,{kind.scale}}}0*)$"


def _when_timestamp(text: str, timezone: str) -> str:
    attempt = f"TRY_CAST({text} AS TIMESTAMP)"
    longer = f"REGEXP_REPLACE({text}, {quote(SHORT_OFFSET)}, '$1:$2')"
    clauses = [
        f"WHEN ({text} >= '9999-12-31' OR {text} < '0001-01-02') "
        f"AND NOT ({attempt} BETWEEN {FIRST} AND {LAST}) THEN NULL",
        f"WHEN {text} RLIKE {quote(ZONED)} THEN {attempt}",
    ]
    if timezone == "UTC":
        clauses.append(f"WHEN {text} RLIKE {quote(LOCAL)} THEN {attempt}")
    else:
        zone = quote(timezone)
        instant = f"TO_UTC_TIMESTAMP({attempt}, {zone})"
        exists = f"FROM_UTC_TIMESTAMP({instant}, {zone}) = {attempt} AND {instant} BETWEEN {FIRST} AND {LAST}"
        clauses.append(f"WHEN {text} RLIKE {quote(LOCAL)} THEN CASE WHEN {exists} THEN {instant} END")
    clauses.append(f"WHEN {longer} RLIKE {quote(ZONED)} THEN TRY_CAST({longer} AS TIMESTAMP)")
    return " ".join(clauses)
