"""YAML with places: what is read, what is refused, and where it says so."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.yaml_reading import parse_yaml, read_yaml
from transforms.yaml_source import DefinitionError, YamlSource


def parsed(text: str | bytes) -> YamlSource:
    source = YamlSource(Path("/somewhere/domain.yaml"))
    parse_yaml(source, text if isinstance(text, bytes) else text.encode())
    source.raise_faults()
    return source


def faults(text: str | bytes) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        parsed(text)
    return [f"{fault.where.rpartition('domain.yaml:')[2]} {fault.detail}" for fault in caught.value.faults]


def test_scalars_follow_yaml_1_2_and_nothing_is_lost():
    text = (
        "{a: no, b: 2013-01-01, c: 007, d: 0, e: -5, f: 1.50, g: true, h: ~, i: '5', j: 1e3, k: 0x1F, l: on, m: 1_000}"
    )
    assert parsed(text).data == {
        "a": "no", "b": "2013-01-01", "c": "007", "d": 0, "e": -5, "f": 1.5, "g": True, "h": None, "i": "5",
        "j": 1000.0, "k": "0x1F", "l": "on", "m": "1_000",
    }  # fmt: skip


def test_keys_are_text():
    assert parsed("{1: a, true: b, null: c}").data == {"1": "a", "true": "b", "null": "c"}


def test_every_value_knows_its_place():
    source = parsed("a:\n  b: [x, y]\n  c: {d: 1}\n")
    assert source.place(("a", "b", 1)) == (2, 10)
    assert source.place(("a", "c", "d")) == (3, 10)
    assert source.place(("a", "c", "d"), key=True) == (3, 7)
    assert source.place(("a", "c", "gone")) == (3, 6)  # the mapping that should hold it


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1 the key 'a' is there twice (first in line 1)."),
        ("a: &x 1\n", "1:4 the anchor '&x' is not allowed here: write the value where it is used."),
        ("a: *x\n", "1:4 the alias '*x' is not allowed here: write the value itself."),
        ("<<: {a: 1}\n", "1:1 merge keys ('<<') are not allowed: write the fields out."),
        ("a: !!python/object:os.system x\n", "1:4 the tag"),
        ("a: 1\n---\nb: 2\n", "2:1 a definition file holds one document"),
        ("%YAML 1.1\n---\na: 1\n", "2:1 only YAML 1.2 is read"),
        ("a: [1\nb: 2\n", "2:2 not valid YAML"),
        ("a:\n\tb: 1\n", "2:1 not valid YAML"),
        ('a: "\\e[31m"\n', "1:4 control characters are not allowed"),
        ("? {a: 1}\n: b\n", "1:3 a key must be a single word or text."),
        ("[" * 100_000, "1:33 nested deeper than 32 levels."),
        (b"a: 1\nb: \xff\n", "2:1 byte 8 is not UTF-8"),
        (b"a: \x00\n", "1:4 this character is not allowed"),
    ],
)
def test_what_is_refused_names_its_place(text, expected):
    assert any(fault.startswith(expected) for fault in faults(text)), faults(text)


def test_all_faults_of_a_file_are_told_together_in_their_order():
    assert [fault.split()[0] for fault in faults("a: &x 1\na: 2\nb: !t 3\n")] == ["1:4", "2:1", "3:4"]


def test_a_billion_laughs_is_refused_at_the_first_alias(tmp_path):
    lines = ["a: &a [x, x]"] + [f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]" for n in range(20)]
    assert len(faults("\n".join(lines))) == 61  # 21 anchors, 40 aliases, none of them expanded


def test_a_missing_and_a_huge_file_are_faults(tmp_path):
    with pytest.raises(DefinitionError, match="can't be read"):
        read_yaml(tmp_path / "none.yaml")
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * 2_000_001)
    with pytest.raises(DefinitionError, match="2,000,001 bytes"):
        read_yaml(huge)


def test_the_problem_document_lists_every_fault():
    with pytest.raises(DefinitionError) as caught:
        parsed("a: 1\na: 2\n")
    document = caught.value.problem()
    assert document["status"] == 400
    assert document["errors"][0]["field"] == "a"
    assert document["where"].endswith("domain.yaml:2:1")


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="{}[]:,-&*!|>'\"%@`#?\n\t ab1~<.")))
def test_any_bytes_are_either_read_or_refused(text):
    with suppress(DefinitionError):
        parsed(text)
