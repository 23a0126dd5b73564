"""The list of attacks on expressions and patterns (53 to 64): each is refused before anything runs, with its place."""

import time

import pytest

from transforms.expression_errors import ExpressionError
from transforms.expressions import MAX_LENGTH, compile_expression
from transforms.patterns import pattern_fault

COLUMNS = {"s": "string", "n": "integer"}

ATTACKS = {
    53: ["__import__('os')", "__import__('os').system('id')", "eval('1')", "exec('1')"],
    54: ["().__class__.__mro__", "s.__class__", "''.__class__.__subclasses__()"],
    55: ["f'{s}'", "format('{0.__class__}', s)", "format_string('%n', s)", "printf('%s', s)", "'{0.__class__}'.format(s)"],
    56: [
        "reflect('java.lang.Runtime', 'getRuntime')",
        "java_method('java.util.UUID', 'randomUUID')",
        "try_reflect('java.lang.System', 'exit', 1)",
        "upper(reflect('java.lang.System', 'getenv', 'HOME'))",
    ],
    57: [
        "read_csv('/etc/passwd')",
        "read_text('/etc/passwd')",
        "COPY t TO '/tmp/x'",
        "(COPY t TO '/tmp/x')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH 'x.db'",
        "getenv('HOME')",
        "(SELECT content FROM read_text('/etc/passwd'))",
        "n IN (SELECT 1)",
        "n; DROP TABLE t",
    ],
    58: ["(SELECT * FROM '/etc/passwd')", "scan_csv('/etc/passwd')", "FROM '/etc/passwd'", "TABLE '/etc/passwd'"],
    59: ["s RLIKE '(a+)+$'", "regexp_replace(s, '(a+)+$', '')", "regexp_extract(s, '((a*)*)*', 1)", "s RLIKE '(a|a)*$'"],
    60: ["s RLIKE '(.*){1,32000}'", "s RLIKE 'a{1,32000}'", "regexp_count(s, '(a{1,1000}){1,1000}')"],
    61: [
        r"s RLIKE r'^([a-zA-Z0-9_.-]+)+@([a-z0-9]+\.)+[a-z]+$'",
        r"s RLIKE r'^(\+?[0-9]+[ -]?)+$'",
        r"s RLIKE r'^(([a-z])+.)+[A-Z]([a-z])+$'",
    ],
    62: ["9**9**9", "power(9, power(9, 9))", "'a' * 10", "repeat(s, 10000000000)", "rpad(s, 2000000000, 'x')", "space(2000000000)"],
    63: ["(" * 500 + "n" + ")" * 500, "NOT " * 500 + "TRUE", "upper(" * 31 + "s" + ")" * 31, "sqrt(" * 25 + "n" + ")" * 25],
    64: [
        "{{ s }}",
        "{% for x in y %}",
        "${s}",
        "#{T(java.lang.Runtime)}",
        "T(java.lang.Runtime)",
        "<#assign x=s>",
        "@s",
        "$s",
        "?",
        "::s",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("number", "text"), [(number, text) for number, texts in ATTACKS.items() for text in texts])
def test_an_attack_is_refused_in_no_time_and_with_its_place(number, text):
    begun = time.process_time()
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, COLUMNS, where="domain.yaml:7:9")
    assert time.process_time() - begun < 1
    assert caught.value.where == "domain.yaml:7:9"
    assert caught.value.column is not None
    assert 1 <= caught.value.column <= len(text) + 1


@pytest.mark.parametrize("text", ["{{ s }}", "${s}", "#{1+1}", "<#assign x=1>", "T(java.lang.Runtime).getRuntime()"])
def test_a_template_in_a_label_or_literal_is_text_and_nothing_else(text):
    """64: no text of a definition is ever evaluated; as a literal it stays what it is."""
    assert compile_expression(f"'{text}'", COLUMNS, where="x").sql == f"'{text}'"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(.*){1,32000}", "((a?){3})+", r"(\d+)*x", "(x*)*"])
def test_a_pattern_of_a_contract_is_held_to_the_same_rules(pattern):
    assert pattern_fault(pattern) is not None


def test_a_text_that_doubles_with_each_call_is_stopped():
    """Some functions name their argument twice: what would grow beyond all bounds is refused while it grows."""
    with pytest.raises(ExpressionError, match="too long for an engine"):
        compile_expression("date_add(" * 20 + "DATE '2024-01-01'" + ", 1)" * 20, COLUMNS, where="x")
    with pytest.raises(ExpressionError, match="longer than"):
        compile_expression("n" * (MAX_LENGTH + 1), COLUMNS, where="x")
