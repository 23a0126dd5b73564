"""Whatever columns are called and hold: the draft loads, maps every column, and its key identifies."""

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from resources.sources import SourceError
from tests.unit.drafting.drafts import Drafted

ODD = [
    "Order ID", "order_id", "order-id", "a.b", "2019", "이름", "책 제목", "日本語", "select", "type", "id", "key", "null", "true",
    "No", "on", "x: y", "# no", "{a}", "[b]", "a, b", '"quoted"', "it's", "back\\slash", "$1", "?", "%", "&x", "*y", "!z", "|",
    "> z", "- dash", "@at", "~", "--", "/* c */", ";", "straße", "ﬁ", "İ", "ʼn", "𝒳", "é", "e\u0301", "\u00a0x", "\u3164",
    "position", "properties", "links", "book", "Book", "shop", "a" * 255, "ㄱ" * 80, "_", "__x", "x__", "0", "Ⅷ", "²",
]  # fmt: skip
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Cf", "Zl", "Zp"), blacklist_characters="`\ufffe\uffff"), min_size=1
)
HEADERS = st.lists(st.one_of(st.sampled_from(ODD), TEXT.filter(lambda text: len(text) < 40)), min_size=1, max_size=7)
CELLS = st.one_of(
    st.sampled_from(["", "NA", "-", "0", "1", "2", "007", "1.5", "true", "2024-02-29", "0001-01-01", "9999-12-31",
                     "0000-01-01", "2024-02-29T10:00Z", "2024-02-29 10:00", "2024-02-29T11:00+01:00", "a b", "한글", "\"", "\n"]),
    st.integers(-(10**20), 10**20).map(str),
    TEXT,
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> str:
    header = draw(HEADERS)
    kind = st.one_of(st.just(CELLS), st.just(st.integers(0, 3).map(str)), st.just(st.dates().map(str)))
    kinds = [draw(kind) for _ in header]
    rows = draw(st.lists(st.tuples(*kinds), min_size=1, max_size=8))
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


@given(tables(), tables(), st.sampled_from(["books", "Book", "책", "2 x", "type", "shop"]))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_draft_of_any_table_loads_and_says_where_every_property_comes_from(one: str, other: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = Drafted(Path(folder), {f"{name}.csv": one, "books of all.csv": other})
        except SourceError as refused:  # two headers that are one, or one that is blank
            assume(refused.title not in ("Duplicate column", "Empty column name", "Not separated by commas"))
            raise
        for drafted in made.definition.draft.types:
            table = drafted.table
            assert set(made.domain.locked_types[table.dataset]) == set(table.profile.columns)
            if not drafted.key.columns:
                assert table.type_name not in made.domain.object_types
                continue
            kind, mapping = made.domain.object_types[table.type_name], made.domain.mappings[table.type_name]
            sources = {p: mapping.set.get(p, f"`{p}`").strip("`") for p in kind.properties}
            assert list(sources.values()) == list(table.profile.columns)
            rows = list(csv.DictReader(io.StringIO(one if drafted is made.definition.draft.types[0] else other)))
            keys = {tuple(row[sources[part]] for part in kind.key) for row in rows}
            assert len(keys) == len(rows)
