"""Reading CSV: what is text is kept, what is broken is named with its line."""

import io
import zipfile
from pathlib import Path

import pytest

from resources.sources import SourceError
from tests.unit.tables.files import put
from transforms.csv_source import open_csv


def read(home: Path, content: str | bytes, name: str = "orders.csv", block_bytes: int = 8 << 20):
    with open_csv(put(home, content, name), block_bytes) as table:
        blocks = list(table.blocks)
    rows = [row for block in blocks for row in block.rows.to_pylist()]
    lines = [int(line) for block in blocks for line in block.lines]
    numbers = [int(number) for block in blocks for number in block.numbers]
    ragged = [row for block in blocks for row in block.ragged]
    return table.columns, rows, numbers, lines, ragged


def packed(*members: tuple[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def test_values_come_as_the_text_they_are(tmp_path: Path) -> None:
    content = 'a,b\n007,NA\n 5,=cmd|\'/c calc\'!A0\n"x, ""y""",-2+3\n,1e999\n'
    columns, rows, numbers, lines, ragged = read(tmp_path, content)
    assert columns == ["a", "b"]
    assert rows == [
        {"a": "007", "b": "NA"},
        {"a": " 5", "b": "=cmd|'/c calc'!A0"},
        {"a": 'x, "y"', "b": "-2+3"},
        {"a": "", "b": "1e999"},
    ]
    assert numbers == [1, 2, 3, 4]
    assert lines == [2, 3, 4, 5]
    assert ragged == []


@pytest.mark.parametrize("block_bytes", [7, 16, 1 << 20])
def test_lines_are_physical_also_with_line_ends_in_quotes_and_empty_lines(tmp_path: Path, block_bytes: int) -> None:
    content = 'a,b\n\n1,"two\nlines"\n2,x\n\n\n3,"three\r\n\nlines"\n4,y'
    _, rows, numbers, lines, _ = read(tmp_path, content, block_bytes=block_bytes)
    assert [row["b"] for row in rows] == ["two\nlines", "x", "three\r\n\nlines", "y"]
    assert numbers == [1, 2, 3, 4]
    assert lines == [3, 5, 8, 11]


@pytest.mark.parametrize("block_bytes", [9, 1 << 20])
def test_a_ragged_row_comes_apart_with_its_line_and_text(tmp_path: Path, block_bytes: int) -> None:
    _, rows, numbers, lines, ragged = read(tmp_path, 'a,b\n1,2\n3\n"4\n4",5,6\n7,8\n', block_bytes=block_bytes)
    assert [row["a"] for row in rows] == ["1", "7"]
    assert (numbers, lines) == ([1, 4], [2, 6])
    assert [(bad.row, bad.line, bad.expected, bad.actual) for bad in ragged] == [(2, 3, 2, 1), (3, 4, 2, 3)]
    assert ragged[0].text == "3"


def test_crlf_and_a_byte_order_mark_are_no_part_of_the_values(tmp_path: Path) -> None:
    columns, rows, _, lines, _ = read(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n")
    assert columns == ["a", "b"]
    assert rows == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert lines == [2, 3]


@pytest.mark.parametrize("block_bytes", [8, 1 << 20])
def test_a_quote_inside_an_unquoted_field_is_a_character(tmp_path: Path, block_bytes: int) -> None:
    _, rows, _, lines, _ = read(tmp_path, 'a,b\n5" pipe,1\n"x\ny",2\n6" and 7" pipe,3\n', block_bytes=block_bytes)
    assert [row["a"] for row in rows] == ['5" pipe', "x\ny", '6" and 7" pipe']
    assert lines == [2, 3, 5]


def test_a_file_of_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    columns, rows, *_ = read(tmp_path, "a,b\n")
    assert (columns, rows) == (["a", "b"], [])


def test_a_single_column_keeps_its_empty_quoted_values(tmp_path: Path) -> None:
    _, rows, _, lines, _ = read(tmp_path, 'a\n""\n\nx\n')
    assert [row["a"] for row in rows] == ["", "x"]
    assert lines == [2, 4]


def test_the_one_file_of_a_zip_is_read(tmp_path: Path) -> None:
    _, rows, *_ = read(tmp_path, packed(("anything.csv", b"a\n1\n")), "orders.csv.zip")
    assert rows == [{"a": "1"}]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("", None, "Empty file"),
        ("\n\n", 1, "Empty file"),
        ("a,a\n1,2\n", 1, "twice"),
        ("a,A\n1,2\n", 1, "differ in case only"),
        ("a,,c\n1,2,3\n", 1, "column 2"),
        ("a,_row\n1,2\n", 1, "Reserved"),
        ("a\u202eb,c\n1,2\n", 1, "direction character"),
        ("a;b;c\n1;2;3\n", 1, "commas"),
        (f"{'x' * 300},b\n1,2\n", 1, "too long"),
        (",".join(f"c{i}" for i in range(2001)) + "\n", 1, "Too many columns"),
        (b"a,b\n1,2\n3,\xff4\n", 3, "ff"),
        (b"a,b\n1,\x002\n", 2, "NUL"),
        ("a,b\n1,2\n".encode("utf-16"), 1, "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), 1, "NUL"),
        (b"a,b\n1,\xed\xa0\x80\n", 2, "UTF-8"),
        ("a,b\n1,2\r3,4\n", 2, "CR alone"),
        ("a,b\r1,2\r3,4\r", 1, "CR"),
        ('a,b\n1,2\n3,"open\nand\nmore\n', 3, "never closed"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(
    tmp_path: Path, content: str | bytes, line: int | None, said: str
) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        read(tmp_path, content)
    place = str(tmp_path / "sources" / "shop" / "orders.csv")
    assert caught.value.where == (place if line is None else f"{place}:{line}")


def test_a_quote_that_is_never_closed_does_not_swallow_a_large_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no line end within"):
        read(tmp_path, 'a,b\n1,"' + "x" * (17 << 20) + "\n2,3\n", block_bytes=1 << 20)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packed(("a.csv", b"a\n1\n"))[:-30], "Damaged zip"),
        (b"not a zip at all", "Damaged zip"),
        (packed(), "exactly one file"),
        (packed(("a.csv", b"a\n1\n"), ("b.csv", b"a\n1\n")), "exactly one file"),
        (packed(("zeros.csv", b"0" * (64 << 20))), "unpacks to too much"),
        (packed(("inner.zip", packed(("a.csv", b"a\n1\n")))), "NUL"),
    ],
    ids=["cut off", "no zip", "empty", "two files", "a bomb", "a zip in a zip"],  # not the bytes: a zip has its time
)
def test_a_bad_zip_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read(tmp_path, content, "orders.csv.zip")


def test_a_zip_whose_content_is_damaged_is_refused(tmp_path: Path) -> None:
    content = bytearray(packed(("a.csv", b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(5000)))))
    content[2000] ^= 0xFF
    with pytest.raises(SourceError):
        read(tmp_path, bytes(content), "orders.csv.zip")


def test_a_missing_file_is_named_with_what_is_there(tmp_path: Path) -> None:
    from resources.sources import find_source

    put(tmp_path, "a\n1\n", "order.csv")
    with pytest.raises(SourceError, match="Source file missing") as caught:
        find_source(tmp_path / "sources", "shop", "orders.csv")
    assert caught.value.allowed == ["order.csv"]
    with pytest.raises(SourceError, match="folder is not there"):
        find_source(tmp_path / "sources", "nowhere", "orders.csv")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    from resources.sources import find_source

    put(tmp_path, "a\n1\n")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "sources" / "shop" / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SourceError, match="outside"):
        find_source(tmp_path / "sources", "shop", "link.csv")
