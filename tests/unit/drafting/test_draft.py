"""What `spice init` makes of files: keys, titles, null markers, links, partitions. Expected by hand."""

import re
from pathlib import Path

import pytest

from ontology_assets.model.loading import load_domain
from resources.errors import SpiceError
from tests.unit.drafting.drafts import Drafted, csv

BOOKS = csv(
    "isbn,title,author,pages,published",
    "978-0,Pride and Prejudice,Jane Austen,279,1813-01-28",
    "978-1,Emma,Jane Austen,474,1815-12-23",
    "978-2,Frankenstein,Mary Shelley,-,1818-01-01",
    "978-3,Moby Dick,Herman Melville,654,1851-10-18",
)
LOANS = csv(
    "loan_id,isbn,member,borrowed_on",
    "1,978-0,Mina,2024-03-01",
    "2,978-2,Jun,2024-03-02",
    "3,978-0,Sora,2024-03-18",
    "4,978-3,Mina,2024-04-20",
)


def test_two_files_become_two_linked_types(tmp_path: Path) -> None:
    made = Drafted(tmp_path, {"books.csv": BOOKS, "loans.csv": LOANS})
    assert (made.key("Book"), made.key("Loan")) == (["isbn"], ["loan_id"])
    assert made.domain.object_types["Book"].title == "title"
    assert made.links("Loan") == {"book": (["isbn"], "Book", "loans", "many_to_one")}
    assert made.domain.datasets["books"].nulls == ["", "-"]
    assert made.domain.locked_types["books"]["pages"] == "integer?"
    searched = {name for name, one in made.domain.object_types["Book"].properties.items() if one.search}
    assert searched == {"title", "author"}
    assert made.domain.object_types["Book"].properties["isbn"].label == {"en": "ISBN"}
    assert "Would do as well: title, published." in made.text
    assert "All 3 different values of `isbn` are keys of Book." in made.text


def test_the_commented_partition_works_when_it_is_uncommented(tmp_path: Path) -> None:
    made = Drafted(tmp_path, {"loans.csv": LOANS})
    lines = made.text.replace("# partition: ", "partition: ").replace("# replace: ", "replace: ")
    lines = lines.replace("# occurred_at", "occurred_at")
    (tmp_path / "definition" / "domain.yaml").write_text(lines)
    domain = load_domain(tmp_path / "definition")
    partition = domain.datasets["loans"].partition
    assert partition is not None
    assert (partition.by, f"{partition.start}", f"{partition.end}") == ("month", "2024-03-01", "2024-04-30")
    assert domain.mappings["Loan"].occurred_at == "timestamp(`borrowed_on`)"


def test_an_id_goes_before_what_is_only_different_by_chance(tmp_path: Path) -> None:
    rows = csv("price,when,code,name", "3,2024-01-01,x1,Ann", "4,2024-01-02,x2,Bob", "5,2024-01-03,x3,Cid")
    made = Drafted(tmp_path, {"things.csv": rows})
    assert made.key("Thing") == ["code"]
    assert "Would do as well: price, name, when." in made.text


@pytest.mark.parametrize(
    ("header", "rows", "key"),
    [
        ("receipt,line,product", ["R1,1,a", "R1,2,a", "R2,1,a", "R2,2,b"], ["receipt", "line"]),
        ("note,day,shop", ["x,2024-01-01,N", "x,2024-01-01,S", "y,2024-01-02,N", "y,2024-01-02,S"], ["note", "shop"]),
        ("id,other", [",1", "2,2", "3,3"], ["other"]),
        ("ratio,other", ["1.5,a", "2.5,b"], ["other"]),
    ],
)
def test_the_smallest_key_without_missing_values_is_found(
    tmp_path: Path, header: str, rows: list[str], key: list[str]
) -> None:
    assert Drafted(tmp_path, {"things.csv": csv(header, *rows)}).key("Thing") == key


def uncommented(text: str, key: str) -> str:
    """What a person makes of a type that waits for its key."""
    text = re.sub(r"^# (?=object_types:|mappings:|  )", "", text, flags=re.MULTILINE)
    return text.replace("key: [?]", f"key: {key}")


def test_without_a_key_the_tables_are_drafted_and_the_type_waits_commented(tmp_path: Path) -> None:
    rows = csv("a,b,c", "1,1,1", "1,1,2", "1,2,1", "2,1,1", "1,1,1")
    made = Drafted(tmp_path, {"things.csv": rows})
    assert made.domain.object_types == {}
    assert list(made.domain.datasets) == ["things"]
    assert "No key yet: no column, and no pair" in made.text
    (tmp_path / "definition" / "domain.yaml").write_text(uncommented(made.text, "[a, b, c]"))
    assert load_domain(tmp_path / "definition").object_types["Thing"].key == ["a", "b", "c"]


def test_a_table_without_a_key_waits_beside_one_that_has_one(tmp_path: Path) -> None:
    rows = csv("isbn,stars", "978-0,1", "978-0,1", "978-1,2", "978-2,5")
    made = Drafted(tmp_path, {"books.csv": BOOKS, "ratings.csv": rows})
    assert list(made.domain.object_types) == ["Book"]
    assert list(made.domain.datasets) == ["books", "ratings"]
    (tmp_path / "definition" / "domain.yaml").write_text(uncommented(made.text, "[isbn, stars]"))
    domain = load_domain(tmp_path / "definition")
    assert domain.object_types["Rating"].links["book"].to == "Book"


class TestLinks:
    """Whole numbers are keys of everything that is numbered: a name has to say the same."""

    SHOPS = csv("id,name", *(f"{i},Shop {i}" for i in range(1, 21)))

    def test_numbers_that_happen_to_be_keys_are_only_a_remark(self, tmp_path: Path) -> None:
        sales = csv("sale_id,quantity,shop_id", *(f"{100 + i},{i % 9 + 1},{i % 7 + 1}" for i in range(30)))
        made = Drafted(tmp_path, {"shops.csv": self.SHOPS, "sales.csv": sales})
        assert made.links("Sale") == {"shop": (["shop_id"], "Shop", "sales", "many_to_one")}
        assert "A link to Shop? All 9 different values of `quantity` are keys of Shop." in made.text

    def test_codes_need_no_name_but_more_than_a_handful(self, tmp_path: Path) -> None:
        places = csv("code,name", *(f"P{i:02},Place {i}" for i in range(20)))
        trips = csv("trip,origin,via", *(f"T{i},P{i % 10:02},P{i % 5:02}" for i in range(40)))
        made = Drafted(tmp_path, {"places.csv": places, "trips.csv": trips})
        assert made.links("Trip") == {"place": (["origin"], "Place", "trips", "many_to_one")}

    def test_two_links_to_one_type_are_named_apart(self, tmp_path: Path) -> None:
        places = csv("code,name", *(f"P{i:02},Place {i}" for i in range(20)))
        trips = csv("trip,origin,dest", *(f"T{i},P{i % 10:02},P{i % 12:02}" for i in range(40)))
        made = Drafted(tmp_path, {"places.csv": places, "trips.csv": trips})
        assert made.links("Trip") == {
            "origin_place": (["origin"], "Place", "trips_by_origin_place", "many_to_one"),
            "dest_place": (["dest"], "Place", "trips_by_dest_place", "many_to_one"),
        }

    def test_nine_of_ten_values_must_be_keys_and_the_share_is_said(self, tmp_path: Path) -> None:
        def sales(known: int) -> str:
            ids = [f"{i + 1}" for i in range(known)] + [f"{i + 900}" for i in range(20 - known)]
            return csv("sale_id,shop_id", *(f"{100 + i},{one}" for i, one in enumerate(ids * 2)))

        enough = Drafted(tmp_path / "18", {"shops.csv": self.SHOPS, "sales.csv": sales(18)})
        assert "18 of the 20 different values of `shop_id` (90.0%) are keys of Shop." in enough.text
        assert enough.links("Sale")
        few = Drafted(tmp_path / "17", {"shops.csv": self.SHOPS, "sales.csv": sales(17)})
        assert few.links("Sale") == {}
        assert "A link to Shop? 17 of the 20 different values of `shop_id` (85.0%) are keys of Shop." in few.text

    def test_a_type_may_link_to_itself(self, tmp_path: Path) -> None:
        rows = csv("id,name,parent_category_id", "1,All,", *(f"{i},Category {i},{i // 2}" for i in range(2, 12)))
        made = Drafted(tmp_path, {"categories.csv": rows})
        assert made.links("Category") == {
            "parent_category": (["parent_category_id"], "Category", "categories", "many_to_one")
        }

    def test_a_key_of_two_parts_is_linked_by_columns_of_the_same_names(self, tmp_path: Path) -> None:
        weather = csv("station,hour,temp", *(f"S{s},{h},{s + h}" for s in range(3) for h in range(4)))
        trips = csv("trip,station,hour", *(f"T{i},S{i % 3},{i % 4}" for i in range(12)))
        made = Drafted(tmp_path, {"weather.csv": weather, "trips.csv": trips})
        assert made.key("Weather") == ["station", "hour"]
        assert made.links("Trip") == {"weather": (["station", "hour"], "Weather", "trips", "many_to_one")}
        assert "All 12 different values of `station` and `hour` are keys of Weather." in made.text

    def test_the_same_things_in_two_files_are_linked_once_and_one_to_one(self, tmp_path: Path) -> None:
        more = csv("isbn,weight", "978-0,1.5", "978-1,2.5", "978-2,1.0")
        made = Drafted(tmp_path, {"books.csv": BOOKS, "weights.csv": more})
        assert made.links("Weight") == {"book": (["isbn"], "Book", "weights", "one_to_one")}
        assert made.links("Book") == {}

    def test_numbers_that_lead_to_texts_are_declared_text(self, tmp_path: Path) -> None:
        parts = csv("code,name", "007,Bolt", "12,Nut", "13,Gear", "A1,Wheel")
        uses = csv("use,part_code", "u1,12", "u2,13", "u3,", "u4,12")
        made = Drafted(tmp_path, {"parts.csv": parts, "uses.csv": uses})
        assert made.domain.datasets["uses"].types == {"part_code": "string?"}
        assert made.domain.object_types["Use"].properties["part_code"].type == "string?"
        assert made.links("Use") == {"part": (["part_code"], "Part", "uses", "many_to_one")}


def test_names_that_other_domains_have_get_the_domains_name_before_them(tmp_path: Path) -> None:
    first = Drafted(tmp_path / "one", {"books.csv": BOOKS}, domain="library")
    second = Drafted(tmp_path / "two", {"books.csv": BOOKS, "loans.csv": LOANS}, "shop", [first.domain])
    assert list(second.domain.datasets) == ["shop_books", "loans"]
    assert list(second.domain.object_types) == ["ShopBook", "Loan"]
    assert second.links("Loan") == {"book": (["isbn"], "ShopBook", "loans", "many_to_one")}
    assert "Another domain has the short name already" in second.text


def test_files_of_one_name_and_of_no_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    made = Drafted(
        tmp_path, {"orders.csv": LOANS, "order.csv": LOANS.replace("loan", "l"), "a/orders.csv": LOANS, "책.csv": LOANS}
    )
    assert [one.target for one in made.given] == ["orders.csv", "order.csv", "orders_2.csv", "chaek.csv"]
    assert list(made.domain.datasets) == ["orders", "order", "orders_2", "chaek"]
    assert list(made.domain.object_types) == ["Order", "Order2", "Order3", "Chaek"]
    assert made.domain.object_types["Chaek"].label == {"en": "책", "ko": "책"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r": Empty file: "),
        ("a,b\n", r":1: No rows: the file is a header only"),
        ("a,b\n1\n2\n", r":2: No row fits the header: the header has 2 fields, and none of the 2 rows"),
        ("a,a\n1,2\n", r":1: Duplicate column: the header has 'a' twice"),
        ("a,\n1,2\n", r":1: Empty column name: column 2"),
        ("a;b\n1;2\n", r":1: Not separated by commas"),
        ('a,b\n1,"2\n', r":2: Quote not closed"),
        ("a,b\u2028\n1,2\n", r":1: Column name with control characters: column 2"),
    ],
)
def test_a_bad_file_is_refused_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpiceError, match=rf"things\.csv{said}"):
        Drafted(tmp_path, {"things.csv": text})


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    from gateway.init_files import given_files

    (tmp_path / "things.csv").write_bytes("a,b\n1,é\n".encode("latin-1"))
    (one,) = given_files([tmp_path / "things.csv"])
    with pytest.raises(SpiceError, match=r"things\.csv:2: Not UTF-8"):
        one.read(lambda *_: None)


def test_rows_that_do_not_fit_the_header_are_told_and_left_out(tmp_path: Path) -> None:
    made = Drafted(tmp_path, {"things.csv": "id,name\n1,a\n2\n3,c,d\n4,d\n"})
    assert made.definition.draft.ragged == {"things": (2, 3)}
    assert "2 rows have another number of fields than the header (the first: line 3)" in made.text
    assert made.type("Thing").table.profile.rows == 2
