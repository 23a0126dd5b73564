"""Functions of text, entered into the table of `transforms.functions`. A character is a code point of Unicode."""

import re

from transforms.functions import (
    BOOLEAN,
    INTEGER,
    STRING,
    any_null,
    checked_pattern,
    define,
    integer,
    simple,
    small,
    text,
    word,
)
from transforms.portable_patterns import matches_nothing
from transforms.sql_values import Conversion, Mismatch, Sql

MAX_PADDING = 1000

simple("upper(text)", "UPPER({*})", "s", STRING)
simple("lower(text)", "LOWER({*})", "s", STRING)
simple("trim(text)", "TRIM({*})", "s", STRING)
simple("ltrim(text)", "LTRIM({*})", "s", STRING)
simple("rtrim(text)", "RTRIM({*})", "s", STRING)
simple("reverse(text)", "REVERSE({*})", "s", STRING)
simple("left(text, length)", "LEFT({*})", "si", STRING)
simple("right(text, length)", "RIGHT({*})", "si", STRING)
simple("replace(text, old, new)", "REPLACE({*})", "sss", STRING)
simple("length(text)", "CAST(LENGTH({*}) AS BIGINT)", "s", INTEGER)
simple("char_length(text)", "CAST(LENGTH({*}) AS BIGINT)", "s", INTEGER)
simple("octet_length(text)", "CAST(OCTET_LENGTH({*}) AS BIGINT)", "s", INTEGER)
simple("instr(text, part)", "CAST(INSTR({*}) AS BIGINT)", "ss", INTEGER)
simple("contains(text, part)", "CONTAINS({*})", "ss", BOOLEAN)
simple("startswith(text, part)", "STARTSWITH({*})", "ss", BOOLEAN)
simple("endswith(text, part)", "ENDSWITH({*})", "ss", BOOLEAN)
simple("levenshtein(text, other)", "CAST(LEVENSHTEIN({*}) AS BIGINT)", "ss", INTEGER)
simple("md5(text)", "MD5({*})", "s", STRING)
simple("sha1(text)", "SHA1({*})", "s", STRING)


@define("locate(part, text)", 2)
def _locate(arguments: list[Sql], conversion: Conversion) -> Sql:
    part, whole = (text(value, conversion).text for value in arguments)
    return Sql(f"CAST(INSTR({whole}, {part}) AS BIGINT)", INTEGER.with_nullable(nullable=any_null(arguments)))


@define("sha2(text, bits)", 2)
def _sha2(arguments: list[Sql], conversion: Conversion) -> Sql:
    bits = arguments[1].literal
    if bits not in (224, 256, 384, 512):
        raise Mismatch("takes 224, 256, 384 or 512 bits, written out")
    return Sql(
        f"SHA2({text(arguments[0], conversion).text}, {bits})", STRING.with_nullable(nullable=any_null(arguments))
    )


@define("translate(text, old, new)", 3)
def _translate(arguments: list[Sql], conversion: Conversion) -> Sql:
    old, new = word(arguments[1], "the old characters"), word(arguments[2], "the new characters")
    if not old or len(set(old)) < len(old) or len(new) > len(old):
        raise Mismatch("takes different old characters, and no more new ones than those")
    sql = f"TRANSLATE({text(arguments[0], conversion).text}, {arguments[1].text}, {arguments[2].text})"
    return Sql(sql, STRING.with_nullable(nullable=arguments[0].nullable))


@define("repeat(text, count)", 2)
def _repeat(arguments: list[Sql], conversion: Conversion) -> Sql:
    count = small(arguments[1], conversion, MAX_PADDING)
    sql = f"REPEAT({text(arguments[0], conversion).text}, {count})"
    return Sql(sql, STRING.with_nullable(nullable=any_null(arguments)))


def _part(spelling: str) -> None:
    @define(f"{spelling}(text, start, length)", 2, 3)
    def render(arguments: list[Sql], conversion: Conversion) -> Sql:
        """Where `start` or `length` may be negative, the range is worked out here: engines cut it in other ways."""
        subject, start = text(arguments[0], conversion).text, integer(arguments[1], conversion)
        length = integer(arguments[2], conversion) if len(arguments) > 2 else None
        result = STRING.with_nullable(nullable=any_null(arguments))
        if length is not None and isinstance(length.literal, int) and length.literal < 0:
            raise Mismatch("takes a length of 0 or more")
        plain = isinstance(start.literal, int) and start.literal >= 1
        if plain and (length is None or isinstance(length.literal, int)):
            return Sql(f"SUBSTRING({', '.join([subject, start.text, *([length.text] if length else [])])})", result)
        count = f"CAST(LENGTH({subject}) AS BIGINT)"
        at = bounded(start.text)
        begin = f"(CASE WHEN {at} > 0 THEN {at} - 1 WHEN {at} < 0 THEN {count} + {at} ELSE CAST(0 AS BIGINT) END)"
        end = count if length is None else f"({begin} + {bounded(length.text)})"
        low = f"(CASE WHEN {begin} < 0 THEN 0 ELSE {begin} END)"
        size = f"(CASE WHEN {end} > {low} THEN {bounded(f'({end} - {low})')} WHEN {end} <= {low} THEN 0 END)"
        return Sql(f"SUBSTRING({subject}, CAST({low} + 1 AS INT), CAST({size} AS INT))", result)


def bounded(sql: str) -> str:
    """SQL of a whole number of 64 bits, brought within what a text's length can be."""
    return f"(CASE WHEN {sql} > 1000000000 THEN 1000000000 WHEN {sql} < -1000000000 THEN -1000000000 ELSE {sql} END)"


_part("substr")
_part("substring")


@define("split_part(text, separator, number)", 3)
def _split_part(arguments: list[Sql], conversion: Conversion) -> Sql:
    subject, separator = (text(value, conversion).text for value in arguments[:2])
    number = arguments[2].literal
    if not isinstance(number, int) or number == 0 or abs(number) > MAX_PADDING:
        raise Mismatch(f"takes a number written out, 1 to {MAX_PADDING}, or from the end -1 to -{MAX_PADDING}")
    sql = f"SPLIT_PART({subject}, {separator}, {number})"
    return Sql(sql, STRING.with_nullable(nullable=any_null(arguments)))


@define("lpad(text, length, filler)", 3)
def _lpad(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _pad("LPAD", arguments, conversion)


@define("rpad(text, length, filler)", 3)
def _rpad(arguments: list[Sql], conversion: Conversion) -> Sql:
    return _pad("RPAD", arguments, conversion)


def _pad(call: str, arguments: list[Sql], conversion: Conversion) -> Sql:
    subject, length, filler = arguments
    if not isinstance(length.literal, int) or not 0 <= length.literal <= MAX_PADDING:
        raise Mismatch(f"takes a length written out, 0 to {MAX_PADDING}")
    sql = f"{call}({text(subject, conversion).text}, {length.literal}, {text(filler, conversion).text})"
    return Sql(sql, STRING.with_nullable(nullable=any_null(arguments)))


@define("concat(value, ...)", 1, 50)
def _concat(arguments: list[Sql], conversion: Conversion) -> Sql:
    parts = ", ".join(conversion.cast(value, STRING).text for value in arguments)
    return Sql(f"CONCAT({parts})", STRING.with_nullable(nullable=any_null(arguments)))


@define("concat_ws(separator, value, ...)", 2, 50)
def _concat_ws(arguments: list[Sql], conversion: Conversion) -> Sql:
    parts = ", ".join(conversion.cast(value, STRING).text for value in arguments)
    return Sql(f"CONCAT_WS({parts})", STRING.with_nullable(nullable=arguments[0].nullable))


@define("regexp_extract(text, pattern, group)", 2, 3, of_rows=True)
def _regexp_extract(arguments: list[Sql], conversion: Conversion) -> Sql:
    group = arguments[2].literal if len(arguments) > 2 else 1
    pattern = checked_pattern(arguments[1])
    groups = re.compile(word(arguments[1], "a pattern")).groups
    if not isinstance(group, int) or not 0 <= group <= groups:
        raise Mismatch(
            f"the pattern has {groups} groups; the third argument is the number of one, written out (0 = all)"
        )
    sql = f"REGEXP_EXTRACT({text(arguments[0], conversion).text}, {pattern}, {group})"
    return Sql(sql, STRING.with_nullable(nullable=arguments[0].nullable))


@define("regexp_replace(text, pattern, new)", 3)
def _regexp_replace(arguments: list[Sql], conversion: Conversion) -> Sql:
    subject, pattern, new = text(arguments[0], conversion), checked_pattern(arguments[1]), arguments[2]
    if matches_nothing(word(arguments[1], "a pattern")):
        raise Mismatch("takes a pattern that matches at least one character")
    if "$" in word(new, "the new text") or "\\" in word(new, "the new text"):
        raise Mismatch("takes a new text without $ and \\ (engines differ in what they mean)")
    return Sql(f"REGEXP_REPLACE({subject.text}, {pattern}, {new.text})", subject.type)


@define("regexp_count(text, pattern)", 2)
def _regexp_count(arguments: list[Sql], conversion: Conversion) -> Sql:
    subject, pattern = text(arguments[0], conversion), checked_pattern(arguments[1])
    if matches_nothing(word(arguments[1], "a pattern")):
        raise Mismatch("takes a pattern that matches at least one character")
    sql = f"CAST(REGEXP_COUNT({subject.text}, {pattern}) AS BIGINT)"
    return Sql(sql, INTEGER.with_nullable(nullable=subject.nullable))


@define("rlike(text, pattern)", 2)
def _rlike(arguments: list[Sql], conversion: Conversion) -> Sql:
    sql = f"({text(arguments[0], conversion).text} RLIKE {checked_pattern(arguments[1])})"
    return Sql(sql, BOOLEAN.with_nullable(nullable=arguments[0].nullable))
