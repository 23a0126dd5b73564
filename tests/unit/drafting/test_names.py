"""Names of definitions from what people call their files and columns."""

import pytest

from ontology_assets.drafting.names import (
    NAME,
    apart,
    dataset_name,
    label_of,
    plural,
    property_names,
    singular,
    snake,
    type_name,
)
from ontology_assets.drafting.romanization import romanized


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("order_id", "order_id"), ("Order ID", "order_id"), ("orderId", "order_id"), ("HTTPStatus", "http_status"),
        ("unit price (€)", "unit_price"), ("Discount %", "discount_percent"), ("#", "number"), ("2019", "n_2019"),
        ("a.b", "a_b"), ("  spaced  ", "spaced"), ("Größe", "grosse"), ("Café", "cafe"), ("이름", "ireum"),
        ("책 제목", "chaek_jemok"), ("日本", "empty"), ("---", "empty"), ("_x", "x"), ("select", "select"),
        ("x" * 80, "x" * 63),
    ],
)  # fmt: skip
def test_a_column_becomes_a_property_name(column: str, name: str) -> None:
    assert snake(column, empty="empty", prefix="n") == name


def test_columns_that_become_the_same_name_are_told_apart_and_a_column_that_is_a_name_keeps_it() -> None:
    assert property_names(["Order ID", "order-id", "order_id", "日", "日本"]) == {
        "Order ID": "order_id_2", "order-id": "order_id_3", "order_id": "order_id", "日": "column_4", "日本": "column_5",
    }  # fmt: skip


def test_long_names_are_told_apart_within_their_length() -> None:
    names = property_names([f"{'X' * 100}{i}" for i in range(12)])
    assert len(set(names.values())) == 12
    assert all(NAME.fullmatch(name) for name in names.values())
    assert apart("a", ["a", "a_2"]) == "a_3"


@pytest.mark.parametrize(
    ("stem", "dataset", "kind"),
    [
        ("orders", "orders", "Order"), ("OrderLines", "order_lines", "OrderLine"), ("order lines", "order_lines", "OrderLine"),
        ("sales_2024", "sales_2024", "Sale2024"), ("2024 sales", "data_2024_sales", "Data2024Sale"),
        ("categories", "categories", "Category"), ("People", "people", "Person"), ("boxes", "boxes", "Box"),
        ("status", "status", "Status"), ("glass", "glass", "Glass"), ("houses", "houses", "House"), ("도서", "doseo", "Doseo"),
        ("???", "data", "Data"),
    ],
)  # fmt: skip
def test_a_file_becomes_a_dataset_and_a_type(stem: str, dataset: str, kind: str) -> None:
    assert (dataset_name(stem), type_name(dataset_name(stem))) == (dataset, kind)


@pytest.mark.parametrize("word", ["loan", "category", "box", "person", "branch", "day", "status", "movie"])
def test_plurals_lead_back(word: str) -> None:
    assert singular(plural(word)) == word


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ("order_id", {"en": "Order ID"}), ("orderDate", {"en": "Order date"}), ("Unit price", {"en": "Unit price"}),
        ("isbn", {"en": "ISBN"}), ("이름", {"en": "이름", "ko": "이름"}), ("VAT", {"en": "VAT"}), ("_", {"en": "_"}),
    ],
)  # fmt: skip
def test_a_column_becomes_a_label_for_people(column: str, label: dict[str, str]) -> None:
    assert label_of(column) == label


def test_hangul_is_written_as_the_standard_has_it() -> None:
    # Syllables of the Revised Romanization, each for itself: all 19 initials, 21 vowels, and finals.
    assert romanized("가까나다따라마바빠사싸아자짜차카타파하") == "gakkanadattaramabappasassaajajjachakatapaha"
    assert romanized("애야얘에여예와왜외요워웨위유의으이") == "aeyayaeeyeoyewawaeoeyowowewiyuuieui"
    assert romanized("각낙닫랄맘밥삿앙") == "gaknakdatralmambapsatang"
