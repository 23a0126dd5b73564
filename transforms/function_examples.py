"""An example of every function and operator, and what is to be known of it: what users read, and a test runs.

`docs/expressions.md` is written from this table and from that of the functions (`transforms.expression_reference`).
Times are those of New York. Aggregates and window functions see the rows n: 1, 2, 2, null; s: 'b', 'a', 'a', null;
p: 1.25, 2.35, 2.35, null; ok: true, false, true, null, in this order.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """An expression, its value as people read it (values of rows with commas between), and a remark."""

    expression: str
    value: str
    note: str = ""


TIMEZONE = "America/New_York"
COLUMNS = {"n": "integer?", "s": "string?", "p": "decimal(10,2)?", "ok": "boolean?"}
ROWS: list[tuple[int | None, str | None, str | None, bool | None]] = [
    (1, "b", "1.25", True),
    (2, "a", "2.35", False),
    (2, "a", "2.35", True),
    (None, None, None, None),
]
ORDER = ["n", "s", "ok"]
TIES = "Rows that are equal in `order_by` are told apart by the other columns."
WIDE = "What does not fit into 64 bits is null."
ASCII = "`\\d`, `\\w`, `\\s` mean ASCII; `.` is all but a newline, `$` the very end; `\\b` is refused."
NOT_EMPTY = "The pattern matches at least one character. " + ASCII
FROM_ONE = "Positions are from 1, or from the end where they are negative."
YEARS = "What leaves the years 1 to 9999 is null."
DOUBLES = "Of doubles the last digits depend on the order of the rows; cast them to a decimal to have them exact."
FORMATS = "Made of `yyyy MM dd HH mm ss` and of space `/ : . _ - T`."
MOMENT = "Of a timestamp, by the domain's clock."

OPERATORS: dict[str, Example] = {
    "+": Example("2 + 3", "5", WIDE + " A decimal has as many digits as its exact result needs."),
    "-": Example("1.5 - 3", "-1.5", WIDE),
    "*": Example("1.25 * 1.5", "1.875", WIDE),
    "/": Example(
        "cast(5 AS decimal(10,2)) / 3",
        "1.666667",
        "Of whole numbers a double; of decimals a decimal with at least 6 digits behind the point, rounded half away "
        "from zero. By zero: null.",
    ),
    "%": Example("-7 % 3", "-1", "The remainder has the sign of the dividend. By zero: null."),
    "DIV": Example("-7 DIV 2", "-3", "Of whole numbers, towards zero. By zero: null."),
    "- (sign)": Example("-(2 + 3)", "-5"),
    "||": Example("'a' || 5", "'a5'", "Null where one side is."),
    "=": Example("'a' = 'A'", "false", "Null where one side is. Text is compared by code points."),
    "<>": Example("1 <> 2.5", "true"),
    "<": Example("'Z' < 'a'", "true"),
    "<=": Example("DATE '2024-01-31' <= '2024-01-31'", "true", "Text beside a date or timestamp is read as one."),
    ">": Example("NULL > 1", "null"),
    ">=": Example("2 >= 2.00", "true"),
    "<=>": Example("NULL <=> 1", "false", "Equal, where null equals null."),
    "IS DISTINCT FROM": Example("NULL IS DISTINCT FROM 1", "true"),
    "IS NULL": Example("NULL IS NULL", "true"),
    "IS NOT NULL": Example("NULL IS NOT NULL", "false"),
    "IS TRUE": Example("(NULL > 1) IS TRUE", "false", "Also `IS FALSE`, `IS NOT TRUE`, `IS NOT FALSE`."),
    "AND": Example("NULL > 1 AND FALSE", "false"),
    "OR": Example("NULL > 1 OR FALSE", "null"),
    "NOT": Example("NOT (1 = 2)", "true"),
    "BETWEEN": Example("2 BETWEEN 1 AND 2", "true", "Both ends belong to it."),
    "IN": Example("3 IN (1, 2, NULL)", "null", "Null where nothing is equal and one of the values is null."),
    "LIKE": Example(
        "'50%' LIKE '_0\\\\%'", "true", "The pattern is written out; a backslash stands before % _ \\\\ only."
    ),
    "ILIKE": Example("'Straße' ILIKE 'STRAß%'", "true", "LIKE on both sides in `lower` case."),
    "RLIKE": Example("'AB-12' RLIKE r'^[A-Z]+-\\d+$'", "true", ASCII),
    "CASE": Example("CASE WHEN 1 > 2 THEN 'a' ELSE 'b' END", "'b'", "Also `CASE value WHEN other THEN ...`."),
    "CAST": Example(
        "cast('12.345' AS decimal(10,2))", "12.35", "The same as TRY_CAST: what can't be converted is null."
    ),
    "TRY_CAST": Example("try_cast('x' AS int)", "null"),
    "INTERVAL": Example("DATE '2024-01-31' + INTERVAL 1 MONTH", "2024-02-29", YEARS),
}

TEXT: dict[str, Example] = {
    "upper": Example("upper('straße')", "'STRASSE'"),
    "lower": Example("lower('ΌΔΟΣ')", "'όδος'"),
    "trim": Example("trim('  a b ')", "'a b'", "Spaces only."),
    "ltrim": Example("ltrim('  a ')", "'a '"),
    "rtrim": Example("rtrim('  a ')", "'  a'"),
    "reverse": Example("reverse('abc')", "'cba'", "By code points."),
    "left": Example("left('가나다', 2)", "'가나'", "A negative length is 0."),
    "right": Example("right('abc', 2)", "'bc'", "A negative length is 0."),
    "substr": Example("substr('abcde', 2, 3)", "'bcd'", FROM_ONE),
    "substring": Example("substring('abcde', -3, 2)", "'cd'", FROM_ONE),
    "replace": Example("replace('banana', 'an', 'x')", "'bxxa'"),
    "translate": Example("translate('a-b_c', '-_', '.')", "'a.bc'", "Old characters without a new one are dropped."),
    "repeat": Example("repeat('ab', 3)", "'ababab'", "At most 1000 times."),
    "split_part": Example("split_part('a,b,c', ',', -1)", "'c'", "From 1, or from the end; '' where there is none."),
    "length": Example("length('👍🏽')", "2", "Code points, not bytes."),
    "char_length": Example("char_length('abc')", "3"),
    "octet_length": Example("octet_length('ß')", "2", "Bytes in UTF-8."),
    "instr": Example("instr('banana', 'na')", "3", "From 1; 0 where it is not there."),
    "locate": Example("locate('na', 'banana')", "3"),
    "contains": Example("contains('banana', 'nan')", "true"),
    "startswith": Example("startswith('banana', 'ba')", "true"),
    "endswith": Example("endswith('banana', 'Na')", "false"),
    "lpad": Example("lpad('7', 3, '0')", "'007'", "What is longer is cut."),
    "rpad": Example("rpad('abcd', 3, 'x')", "'abc'"),
    "concat": Example("concat('a', 1, NULL)", "null", "Null where one is."),
    "concat_ws": Example("concat_ws('-', 'a', NULL, 2)", "'a-2'", "Leaves out what is null."),
    "regexp_extract": Example(
        "regexp_extract(concat(s, '-12'), '([a-z]+)-([0-9]+)', 2)",
        "'12'",
        "'' where nothing matches. Of a text that is the same in all rows Sail ends the run. " + ASCII,
    ),
    "regexp_replace": Example("regexp_replace('a  b', ' +', ' ')", "'a b'", NOT_EMPTY),
    "regexp_count": Example("regexp_count('banana', 'an')", "2", NOT_EMPTY),
    "rlike": Example("rlike('abc', '^a')", "true", ASCII),
    "levenshtein": Example("levenshtein('kitten', 'sitting')", "3"),
    "md5": Example("md5('a')", "'0cc175b9c0f1b6a831c399e269772661'", "Of its bytes in UTF-8."),
    "sha1": Example("sha1('a')", "'86f7e437faa5a7fce15d1ddcb9eaeaea377667b8'"),
    "sha2": Example("left(sha2('a', 256), 8)", "'ca978112'", "224, 256, 384 or 512 bits."),
    "string": Example("string(1.50)", "'1.50'", "A cast. A double has no text: cast it to a decimal first."),
}

NUMBERS: dict[str, Example] = {
    "abs": Example("abs(-2.5)", "2.5", WIDE),
    "sign": Example("sign(-2.5)", "-1"),
    "floor": Example("floor(-2.5)", "-3", WIDE),
    "ceil": Example("ceil(-2.5)", "-2", WIDE),
    "round": Example("round(2.345, 2)", "2.35", "Half away from zero; a double has at most 9 digits here."),
    "mod": Example("mod(-7, 3)", "-1", "As `%`."),
    "pmod": Example("pmod(-7, 3)", "2", "The remainder has the sign of the divisor."),
    "sqrt": Example("sqrt(6.25)", "2.5", "Null of a negative number."),
    "int": Example("int('12')", "12", "A cast."),
    "bigint": Example("bigint(12.9)", "12", "A cast, towards zero."),
    "double": Example("double('1e3')", "1000.0", "A cast."),
    "geopoint": Example("geopoint(52.5, 13.25)", "(52.5, 13.25)", "Null where one of the two is."),
}

CHOICES: dict[str, Example] = {
    "coalesce": Example("coalesce(NULL, 2, 3)", "2"),
    "ifnull": Example("ifnull(NULL, 2)", "2"),
    "nvl": Example("nvl(1, 2)", "1"),
    "nvl2": Example("nvl2(NULL, 'known', 'unknown')", "'unknown'"),
    "isnull": Example("isnull(NULL)", "true"),
    "isnotnull": Example("isnotnull('')", "true"),
    "nullif": Example("nullif('-', '-')", "null"),
    "if": Example("if(1 > 2, 'a', 'b')", "'b'", "Null counts as not true."),
    "greatest": Example("greatest(1, 2.5, NULL)", "2.5", "Leaves out what is null."),
    "least": Example("least('b', 'a')", "'a'", "Leaves out what is null."),
    "boolean": Example("boolean('true')", "true", "A cast."),
}

TIME: dict[str, Example] = {
    "year": Example("year(DATE '2024-12-30')", "2024", MOMENT),
    "quarter": Example("quarter(DATE '2024-12-30')", "4", MOMENT),
    "month": Example("month(timestamp('2024-01-01T02:00:00Z'))", "12", MOMENT),
    "day": Example("day(DATE '2024-12-30')", "30", MOMENT),
    "dayofweek": Example("dayofweek(DATE '2024-12-30')", "2", "Sunday is 1."),
    "dayofyear": Example("dayofyear(DATE '2024-12-30')", "365", MOMENT),
    "weekofyear": Example("weekofyear(DATE '2024-12-30')", "1", "By ISO 8601."),
    "hour": Example("hour(timestamp('2024-07-01T12:34:56Z'))", "8", MOMENT),
    "minute": Example("minute(timestamp('2024-07-01T12:34:56Z'))", "34"),
    "second": Example("second(timestamp('2024-07-01T12:34:56Z'))", "56"),
    "make_date": Example("make_date(2023, 2, 29)", "null", "Null where there is no such day."),
    "to_date": Example("to_date('31.12.2024', 'dd.MM.yyyy')", "2024-12-31", FORMATS),
    "to_timestamp": Example("to_timestamp('2024-01-01 10:00', 'yyyy-MM-dd HH:mm')", "2024-01-01T15:00:00Z", FORMATS),
    "date_format": Example("date_format(DATE '2024-12-30', 'dd/MM/yyyy')", "'30/12/2024'", FORMATS + " " + MOMENT),
    "date_trunc": Example(
        "date_trunc('hour', timestamp('2013-11-03T06:30:00Z'))",
        "2013-11-03T06:00:00Z",
        "Of dates: year, quarter, month, week, day; of timestamps also hour, minute, second of the domain's clock.",
    ),
    "date_add": Example("date_add(DATE '2024-02-28', 2)", "2024-03-01", YEARS),
    "date_sub": Example("date_sub(DATE '2024-03-01', 1)", "2024-02-29", YEARS),
    "add_months": Example(
        "add_months(DATE '2024-01-31', 1)", "2024-02-29", "The last day where there is no such day. " + YEARS
    ),
    "last_day": Example("last_day(DATE '2024-02-05')", "2024-02-29"),
    "datediff": Example("datediff('2024-03-01', '2024-02-01')", "29"),
    "timestampadd": Example(
        "timestampadd(DAY, 1, timestamp('2013-03-09T12:00:00Z'))",
        "2013-03-10T12:00:00Z",
        "A day has 24 hours: the hour of the clock moves where summer time begins. " + YEARS,
    ),
    "timestampdiff": Example(
        "timestampdiff(HOUR, timestamp('2024-01-01T00:30:00Z'), timestamp('2024-01-01T02:00:00Z'))", "1", "Whole units."
    ),
    "timestamp": Example(
        "timestamp('2013-11-03 01:30:00')", "2013-11-03T05:30:00Z", "A cast. Of an hour that there is twice, the first."
    ),
    "date": Example("date(timestamp('2024-01-01T02:00:00Z'))", "2023-12-31", "A cast. " + MOMENT),
}

GROUPS: dict[str, Example] = {
    "count": Example("count(DISTINCT n)", "2", "`count(*)` counts rows, `count(value)` those that are not null."),
    "count_distinct": Example("count_distinct(s)", "2"),
    "count_if": Example("count_if(ok)", "2"),
    "sum": Example("sum(p)", "5.95", "Null of no values. " + WIDE + " " + DOUBLES),
    "avg": Example("avg(p)", "1.983333", "Of decimals a decimal with 4 more digits. " + DOUBLES),
    "min": Example("min(s)", "'a'"),
    "max": Example("max(p)", "2.35"),
    "first": Example("first(s)", "'a'", "The smallest value: which row is first is not defined."),
    "any_value": Example("any_value(n)", "1", "The smallest value."),
    "bool_and": Example("bool_and(ok)", "false"),
    "bool_or": Example("bool_or(ok)", "true"),
}

WINDOWS: dict[str, Example] = {
    "rank": Example("rank()", "2, 3, 4, 1"),
    "dense_rank": Example("dense_rank()", "2, 3, 4, 1"),
    "row_number": Example("row_number()", "2, 3, 4, 1", TIES),
    "percent_rank": Example("round(percent_rank(), 2)", "0.33, 0.67, 1.0, 0.0"),
    "cume_dist": Example("cume_dist()", "0.5, 0.75, 1.0, 0.25"),
    "ntile": Example("ntile(2)", "1, 2, 2, 1", TIES),
    "lag": Example("lag(n, 1, 0)", "null, 1, 2, 0", TIES),
    "lead": Example("lead(s)", "'a', 'a', null, 'b'", TIES),
    "first_value": Example("first_value(coalesce(s, '-'))", "'-', '-', '-', '-'", TIES),
}

SECTIONS: dict[str, dict[str, Example]] = {
    "operators": OPERATORS,
    "text": TEXT,
    "numbers": NUMBERS,
    "choices": CHOICES,
    "time": TIME,
    "groups": GROUPS,
    "windows": WINDOWS,
}

REFUSED_FUNCTIONS = {
    **dict.fromkeys(
        ("power", "pow", "exp", "ln", "log", "log2", "log10", "sin", "cos", "tan", "atan2", "cbrt"),
        "its last digit depends on the engine's library of mathematics",
    ),
    **dict.fromkeys(
        ("stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "corr"),
        "its last digits depend on the order of the rows",
    ),
    **dict.fromkeys(
        ("rand", "randn", "uuid", "current_date", "current_timestamp", "now", "localtimestamp"),
        "its value is another in each run; bring it as a parameter",
    ),
    **dict.fromkeys(
        ("collect_list", "collect_set", "last", "last_value", "max_by", "min_by", "mode"),
        "its value depends on the order in which rows arrive",
    ),
    "approx_count_distinct": "each engine approximates in its own way; use count_distinct",
    "initcap": "engines differ in what a word is",
    "date_part": "engines count the days of the week in different ways; use dayofweek",
    "format_number": "it depends on a locale",
    "explode": "an expression is one value; the operation of that name makes rows",
}
"""Functions that people look for here, and why they are not."""
