"""Rendered pieces of SQL with their types, and the conversions between types.

Sessions run in UTC on every engine (Sail reads fields of a timestamp in UTC whatever the session says), so a conversion
between local dates or texts and instants names the domain's time zone in the SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from transforms.literals import Value, read_value
from transforms.types import ColumnType

NULL = ColumnType("null", nullable=True)
DATE_TEXT = r"^ *([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})([ T][^\n]*)?\z"
DAY = r"^ *[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
ZONED_TEXT = DAY + CLOCK + r"(Z|[+-][0-9]{2}:[0-9]{2}) *\z"
LOCAL_TEXT = f"{DAY}({CLOCK})?" + r" *\z"
WHOLE_TEXT = r"^ *[-+]?[0-9]{1,30} *\z"
DECIMAL_TEXT = r"^ *[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+) *\z"
NUMBER_TEXT = r"^ *[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,2})? *\z"
MAX_DIGITS_OF_DOUBLES = 9
BOOLEAN_TEXT = "^ *([tT]([rR][uU][eE])?|[fF]([aA][lL][sS][eE])?|[yY]([eE][sS])?|[nN][oO]?|[01]) *\\z"
PLAIN_SCALE = 6
"""Decimals with more digits behind the point are written with an exponent by Spark, where they are small."""
MAX_SCALE_OF_TEXT = 18
INTEGER_DIGITS = 19


class Mismatch(Exception):
    """Two types that don't fit; the message is what is wrong, without a place."""


@dataclass(frozen=True)
class Sql:
    """SQL of one expression and its type. `exact`: the engine gives just this type (int32 counts as inexact).
    `literal`: the value, where it is written out in the text."""

    text: str
    type: ColumnType
    exact: bool = True
    literal: Any = None

    @property
    def nullable(self) -> bool:
        return self.type.nullable


@dataclass(frozen=True)
class Conversion:
    """How values are converted: local times are those of `timezone`; `lenient`: text is converted unasked where another
    type is needed. What can't be converted is null, never the end of a run."""

    timezone: str
    lenient: bool

    def cast(self, value: Sql, target: ColumnType) -> Sql:
        """`value` as `target`. Raises Mismatch for pairs that make no sense."""
        source = value.type
        safe = never_fails(value, target)
        result = target.with_nullable(nullable=value.nullable or target.nullable or not safe)
        if source.kind == "null":
            return Sql(f"CAST(NULL AS {target.sql})", result)
        if source.base == target.base and value.exact:
            return Sql(value.text, result, literal=value.literal)
        if source.kind == "string" and isinstance(value.literal, str) and target.kind in ("date", "timestamp"):
            return self._written_out(value.literal, result)
        if not convertible(source, target):
            hint = "; write geopoint(lat, lon)" if target.kind == "geopoint" else ""
            raise Mismatch(f"{spoken(source)} can't be converted to {spoken(target)}{hint}")
        return Sql(self._converted(value, target), result)

    def _converted(self, value: Sql, target: ColumnType) -> str:
        source = value.type
        if target.kind in ("string", "enum"):
            return self._to_text(value)
        if source.kind in ("string", "enum"):
            return self._from_text(value.text, target)
        if {source.kind, target.kind} == {"date", "timestamp"}:
            return self._between_days_and_instants(value, target)
        if source.kind == "double" and target.kind == "decimal":
            return self._from_double(value.text, target)
        if never_fails(value, target):
            return f"CAST({value.text} AS {target.sql})"
        return tried(value.text, target)

    def _to_text(self, value: Sql) -> str:
        kind = value.type
        if kind.kind == "double":
            raise Mismatch(
                "engines write doubles in different ways; write cast(cast(... AS decimal(18,2)) AS string), with the "
                "digits that are wanted"
            )
        if kind.kind != "decimal" or kind.scale <= PLAIN_SCALE:
            return f"CAST({self.local(value) if kind.kind == 'timestamp' else value.text} AS STRING)"
        if kind.scale > MAX_SCALE_OF_TEXT or kind.precision - kind.scale > MAX_SCALE_OF_TEXT:
            raise Mismatch(
                f"{kind.base} has no text on every engine; cast it to at most {PLAIN_SCALE} digits behind the point, "
                f"or to {MAX_SCALE_OF_TEXT} on each side of it"
            )
        x = value.text
        whole = f"CAST(FLOOR(ABS({x})) AS BIGINT)"
        digits = f"CAST((ABS({x}) - CAST({whole} AS DECIMAL(18, 0))) * {10**kind.scale}L AS BIGINT)"
        sign = f"(CASE WHEN {x} < 0 THEN '-' ELSE '' END)"
        return f"CONCAT({sign}, CAST({whole} AS STRING), '.', LPAD(CAST({digits} AS STRING), {kind.scale}, '0'))"

    def _from_double(self, value: str, target: ColumnType) -> str:
        """Engines multiply before they round, each in its own way: the whole part, which they agree on, goes apart."""
        if target.scale > MAX_DIGITS_OF_DOUBLES:
            raise Mismatch(
                f"a double gives at most {MAX_DIGITS_OF_DOUBLES} digits behind the point, not {target.scale}"
            )
        whole = f"TRY_CAST({value} AS BIGINT)"
        fraction = f"CAST({value} - CAST({whole} AS DOUBLE) AS DECIMAL(16, 15))"
        return tried(f"CAST({whole} AS DECIMAL(19, 0)) + ROUND({fraction}, {target.scale})", target)

    def rounded(self, value: str, digits: int) -> str:
        """A double with so many digits behind the point, half away from zero; what has none stays as it is."""
        whole = f"CAST(TRY_CAST({value} AS BIGINT) AS DOUBLE)"
        fraction = f"CAST(ROUND(CAST({value} - {whole} AS DECIMAL(16, 15)), {digits}) AS DOUBLE)"
        return f"COALESCE({whole} + {fraction}, {value})"

    def local(self, value: Sql) -> str:
        """A timestamp moved so that its fields, read as UTC, are those of the domain's clock."""
        return value.text if self.timezone == "UTC" else f"FROM_UTC_TIMESTAMP({value.text}, {quote(self.timezone)})"

    def instant(self, local: str) -> str:
        """The instant of a timestamp whose fields, read as UTC, are those of the domain's clock."""
        return local if self.timezone == "UTC" else f"TO_UTC_TIMESTAMP({local}, {quote(self.timezone)})"

    def constant(self, value: Value, kind: ColumnType) -> Sql:
        """A value that no text of an expression holds, in its canonical form (`transforms.literals`). It is none of
        those that are written out: types don't depend on it."""
        if value is None:
            return Sql(f"CAST(NULL AS {kind.sql})", kind)
        if kind.kind == "string":
            return Sql(quote(str(value)), kind)
        if kind.kind == "boolean":
            return Sql("TRUE" if value else "FALSE", kind)
        if kind.kind in ("date", "timestamp"):
            return replace(self._written_out(str(value), kind), type=kind, literal=None)
        text = repr(read_value(kind, value)) if kind.kind == "double" else str(read_value(kind, value))
        return Sql(f"CAST({quote(text)} AS {kind.sql})", kind)

    def _written_out(self, text: str, result: ColumnType) -> Sql:
        """A date or timestamp that stands in the expression itself is read now, so that a wrong one is an error now."""
        try:
            if result.kind == "date":
                return Sql(f"DATE '{date.fromisoformat(text)}'", result.with_nullable(nullable=False), literal=text)
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            example = "2013-01-31" if result.kind == "date" else "2013-01-31T08:00:00Z"
            raise Mismatch(f"'{text[:60]}' is not a {result.kind}; write it as '{example}'") from error
        moment = self._instant(moment, text)
        sql = f"CAST('{moment:%Y-%m-%dT%H:%M:%S.%f}Z' AS TIMESTAMP)"
        return Sql(sql, result.with_nullable(nullable=False), literal=text)

    def _instant(self, moment: datetime, text: str) -> datetime:
        """A time that is written out, in UTC; of a local hour that there is twice, the first."""
        zone = ZoneInfo(self.timezone)
        try:
            instant = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        except OverflowError as error:
            raise Mismatch(f"'{text[:60]}' is not within the years 1 to 9999") from error
        if moment.tzinfo is None and instant.astimezone(zone).replace(tzinfo=None) != moment:
            raise Mismatch(f"'{text[:60]}' is no time in {self.timezone}: the clock skips it")
        return instant

    def _between_days_and_instants(self, value: Sql, target: ColumnType) -> str:
        if target.kind == "date":
            return f"CAST({self.local(value)} AS DATE)"
        return self.instant(f"CAST({value.text} AS TIMESTAMP)")

    def _from_text(self, text: str, target: ColumnType) -> str:
        """Text is held to ISO forms first: engines differ in what else they take (Sail reads `10:00` as today)."""
        if target.kind == "date":
            day = f"SPLIT_PART(SPLIT_PART(TRIM({text}), 'T', 1), ' ', 1)"
            return f"TRY_CAST(IF({text} RLIKE {quote(DATE_TEXT)}, {day}, NULL) AS DATE)"
        if target.kind == "timestamp":
            zoned = f"IF({text} RLIKE {quote(ZONED_TEXT)}, {text}, NULL)"
            local = f"IF({text} RLIKE {quote(LOCAL_TEXT)}, {text}, NULL)"
            return f"COALESCE(TRY_CAST({zoned} AS TIMESTAMP), {self.instant(f'TRY_CAST({local} AS TIMESTAMP)')})"
        # A double is not NaN, not infinity: they have no canonical form. Spark reads digits of other scripts.
        forms = {"integer": WHOLE_TEXT, "decimal": DECIMAL_TEXT, "double": NUMBER_TEXT, "boolean": BOOLEAN_TEXT}
        text = f"IF({text} RLIKE {quote(forms[target.kind])}, {text}, NULL)"
        return f"TRY_CAST(TRIM({text}) AS {target.sql})"


def tried(sql: str, target: ColumnType) -> str:
    """A conversion that is null where the value does not fit. Bare, Sail compares what was there before it with a
    constant: then what does not fit is unequal instead of null."""
    return f"COALESCE(TRY_CAST({sql} AS {target.sql}), NULL)"


def not_negative_zero(value: Sql) -> str:
    """SQL of a value; of a double without the sign of zero, which engines compare in different ways."""
    return f"({value.text} + CAST(0 AS DOUBLE))" if value.type.kind == "double" else value.text


def never_fails(value: Sql, target: ColumnType) -> bool:
    """Whether every value of the type has a counterpart in the target."""
    source = value.type
    if target.kind in ("string", "enum", "double") and source.kind not in ("string", "enum"):
        return True
    if target.kind == "decimal" and source.kind in ("integer", "decimal"):
        one = narrowed(value)
        return target.scale >= one.scale and integer_digits(target) >= integer_digits(one)
    if target.kind in ("date", "timestamp") and isinstance(value.literal, str):
        return True
    if source.kind == target.kind:
        return source.kind != "decimal"
    return {source.kind, target.kind} == {"string", "enum"} or source.kind in ("date", "timestamp", "boolean")


def convertible(source: ColumnType, target: ColumnType) -> bool:
    """Whether a conversion has a meaning."""
    kinds = {source.kind, target.kind}
    if "geopoint" in kinds:
        return False
    if kinds & {"string", "enum"} or kinds <= {"date", "timestamp"}:
        return True
    if kinds & {"date", "timestamp"}:
        return False
    return "boolean" not in kinds or "integer" in kinds or kinds == {"boolean"}


def unify(types: list[ColumnType]) -> ColumnType:
    """The type that values of all these types are brought to. Raises Mismatch where there is none."""
    known = [one for one in types if one.kind != "null"]
    nullable = any(one.nullable for one in types)
    if not known:
        return NULL
    kinds = {"string" if one.kind == "enum" else one.kind for one in known}
    if len(kinds) == 1 and kinds != {"decimal"}:
        return ColumnType(kinds.pop(), nullable)
    if kinds == {"date", "timestamp"}:
        return ColumnType("timestamp", nullable)
    if kinds <= {"integer", "double", "decimal"}:
        if "double" in kinds:
            return ColumnType("double", nullable)
        scale = max(one.scale for one in known)
        whole = max(integer_digits(one) for one in known)
        return ColumnType("decimal", nullable, min(38, whole + scale), min(scale, 38))
    first, second = known[0], next(one for one in known if one.kind != known[0].kind)
    raise Mismatch(f"{spoken(first)} and {spoken(second)} don't go together{advice(first, second)}")


def unify_values(values: Sequence[Sql]) -> ColumnType:
    """`unify` for values: a number that is written out beside decimals has no more digits than it shows."""
    types = [value.type for value in values]
    if any(kind.kind == "decimal" for kind in types):
        types = [narrowed(value) for value in values]
    return unify(types)


def narrowed(value: Sql) -> ColumnType:
    """The type of an integer that is written out, as a decimal; of other values their own."""
    if isinstance(value.literal, int) and value.type.kind == "integer":
        return replace(value.type, kind="decimal", precision=len(str(abs(value.literal))), scale=0)
    return value.type


def integer_digits(kind: ColumnType) -> int:
    """Digits before the decimal point."""
    return kind.precision - kind.scale if kind.precision else INTEGER_DIGITS


def advice(first: ColumnType, second: ColumnType) -> str:
    """How two types are made to fit, where one of them is text."""
    kinds = {first.kind, second.kind}
    others = kinds - {"string", "enum"}
    if kinds & {"string", "enum"} and others:
        return f"; write try_cast(... AS {next(iter(others))})"
    return ""


def spoken(kind: ColumnType) -> str:
    """A type in a sentence."""
    words = {"null": "NULL", "string": "text", "enum": "text", "decimal": kind.base if kind.precision else "decimal"}
    return words.get(kind.kind, kind.base)


def quote(text: str) -> str:
    """A string literal of Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "'"


def name(column: str) -> str:
    """A quoted identifier of Spark SQL."""
    return "`" + column.replace("`", "``") + "`"
