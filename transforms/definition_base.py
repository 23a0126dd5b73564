"""What all definitions are made of: the frozen model, and the forms of names, days and types."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from transforms.types import ALLOWED_COLUMN_TYPES, parse_type

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Column = Annotated[str, Field(min_length=1, max_length=255)]
Number = int | float
ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _iso_day(value: Any) -> Any:
    """Only text like 2013-01-31 is a date: the model's own rules also take numbers as seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and not ISO_DAY.fullmatch(value)):
        raise PydanticCustomError("not_a_day", "is not a date; write it as 2013-01-31")
    return value


def _column_type(text: str) -> str:
    try:
        kind = parse_type(text).kind
    except ValueError as error:
        raise PydanticCustomError(
            "not_a_type", "{reason}", {"reason": str(error), "allowed": ALLOWED_COLUMN_TYPES}
        ) from error
    if kind in ("geopoint", "enum"):
        reason = f"a column of a table has no type '{kind}'; properties of object types have it"
        raise PydanticCustomError("not_a_type", "{reason}", {"reason": reason, "allowed": ALLOWED_COLUMN_TYPES})
    return text


Day = Annotated[date, Strict(strict=False), BeforeValidator(_iso_day)]
ColumnTypeText = Annotated[str, AfterValidator(_column_type)]


class Definition(BaseModel):
    """Base of every definition value: frozen, unknown fields are errors, nothing is converted silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, strict=True)

    @classmethod
    def subject(cls) -> str:
        """What an error calls the owner of a field where its place does not say it: "the operation 'join'"."""
        return ""
