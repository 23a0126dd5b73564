"""Regular expressions of users: what may be slow anywhere is refused."""

import pytest

from transforms.patterns import pattern_fault


@pytest.mark.parametrize(
    "pattern", ["^[A-Z0-9]{2}$", r"\d{3}-\d+", "(foo|bar)?x", "[]a]+", r"^[\w.]+@[\w.]+$", "([0-9]{3}-)*", "가+"]
)
def test_plain_patterns_are_taken(pattern):
    assert pattern_fault(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("(a+)+$", "repeats a group"),
        ("(a|aa)*$", "repeats a group"),
        ("((a?){3})+", "repeats a group"),
        ("(a?b?){30}", "repeats a group"),
        ("(.*){1,32000}", "1000"),
        ("a{1001}", "1000"),
        (r"(a)\1", "refers back"),
        ("(?=a)b", "'(?'"),
        ("(?i)a", "'(?'"),
        ("a*+", "possessive"),
        ("[[a]]", "engines read in different ways"),
        ("(", "no regular expression"),
        ("a" * 201, "longer than 200"),
        ("a*b*c*d*e*f*g*h*i*", "more than 8"),
    ],
)
def test_patterns_that_can_explode_are_refused(pattern, part):
    assert part in (pattern_fault(pattern) or "")
