"""What counts as the same question, and which questions are not tried at once."""

from gateway.http.shapes import REMEMBERED, TRIED_AGAIN, SlowShapes, shape_of

NAMES = frozenset({"Book", "pages", ">", "=", "title"})


def test_other_values_are_the_same_shape_and_other_names_another() -> None:
    def shape(name: str, operator: str, value: object) -> object:
        return shape_of({"type": "Book", "where": [[name, operator, value]], "limit": 5}, NAMES)

    assert shape("pages", ">", 5) == shape("pages", ">", 700)
    assert shape("title", "=", "Solaris") == shape("title", "=", "Fiasco")
    assert len({shape("pages", ">", 5), shape("pages", "=", 5), shape("title", "=", 5), shape("title", "=", "5")}) == 4


def test_any_json_has_a_shape() -> None:
    for document in (None, 1, "text", [], [[{}]], {"a": {"b": [1.5, None, True]}}, [0] * 10_000):
        hash(shape_of(document, NAMES))


def test_a_slow_shape_is_tried_again_after_a_while() -> None:
    slow = SlowShapes()
    assert not slow.expects_slow("one")
    slow.was_slow("one")
    assert [slow.expects_slow("one") for _ in range(TRIED_AGAIN + 2)] == [True] * TRIED_AGAIN + [False, False]


def test_not_more_than_some_shapes_are_remembered() -> None:
    slow = SlowShapes()
    for number in range(REMEMBERED + 1):
        slow.was_slow(number)
    assert not slow.expects_slow(0)
    assert slow.expects_slow(1)
