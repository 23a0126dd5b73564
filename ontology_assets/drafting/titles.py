"""Which column people would know a thing by, and which ones hold words to be found."""

from ontology_assets.drafting.names import snake
from ontology_assets.drafting.tables import SourceTable
from transforms.profile import ColumnProfile

TITLE_WORDS = ("name", "title", "label", "subject", "designation")
MOSTLY = 0.9
HANGUL_TITLE_ENDINGS = ("이름", "제목", "명칭", "성명", "명")


def title_of(table: SourceTable, key: tuple[str, ...]) -> str:
    """A text column that is named like a title; else one whose words are mostly different; else the key."""
    texts = [column for name, column in table.profile.columns.items() if column.kind == "string" and name not in key]
    texts.sort(key=lambda column: column.nullable)

    def has_own_words(column: ColumnProfile) -> bool:
        return column.worded and column.distinct.count >= MOSTLY * table.profile.rows

    for test in (_is_title, _ends_like_a_title, has_own_words):
        found = next((column.name for column in texts if test(column)), None)
        if found is not None:
            return found
    in_key = [name for name in key if table.column(name).kind == "string"]
    return next(iter([*in_key, *key, *(column.name for column in texts), *table.profile.columns]))


def searched(table: SourceTable, title: str) -> set[str]:
    """Columns whose words are worth finding: texts of words, names, and the title."""
    return {
        name
        for name, column in table.profile.columns.items()
        if column.kind == "string" and (name == title or column.worded or _ends_like_a_title(column))
    }


def _is_title(column: ColumnProfile) -> bool:
    return snake(column.name, empty="", prefix="n") in TITLE_WORDS or column.name in HANGUL_TITLE_ENDINGS


def _ends_like_a_title(column: ColumnProfile) -> bool:
    return snake(column.name, empty="", prefix="n").split("_")[-1] in TITLE_WORDS or column.name.endswith(
        HANGUL_TITLE_ENDINGS
    )
