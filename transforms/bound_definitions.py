"""What a domain file says beside tables: values that expressions name, and functions in Python that nodes call."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from transforms.definition_base import Column, ColumnTypeText, Definition
from transforms.literals import WrongValue, read_value
from transforms.types import ColumnType, parse_type


class Parameter(Definition):
    """A value that expressions of one pipeline name as `:name`; a run may bring another."""

    type: ColumnTypeText = Field(
        description="Its type; a trailing `?` = it may be null. Expressions are typed by this, never by the value."
    )
    default: str | int | float | bool | None = Field(
        default=None,
        description="Its value where a run brings none; needed unless the type ends with `?`. Text, dates, timestamps "
        "and decimals stand in quotes.",
    )
    description: str | None = Field(default=None, description="For people.")

    @property
    def parsed(self) -> ColumnType:
        return parse_type(self.type)

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        try:
            read_value(self.parsed, self.default)
        except WrongValue as error:
            raise PydanticCustomError("not_a_value", "default: {reason}", {"reason": str(error)}) from error
        return self


class Udf(Definition):
    """A function in Python, `udfs/<name>.py` beside the domain file, that nodes call by its name (docs/udfs.md)."""

    version: int = Field(ge=1, description="Raised with each change of its file; `udfs.lock` knows each one's hash.")
    takes: dict[Column, ColumnTypeText] = Field(
        min_length=1, description="Columns of the batch that it is given, with their types."
    )
    gives: dict[Column, ColumnTypeText] = Field(
        min_length=1, description="Columns of the batch that it returns, with their types: the new columns."
    )
    seconds: float = Field(
        default=10.0, gt=0, le=3600, description="Longest time for one batch (at most 65,536 rows) before it is killed."
    )
    memory: int = Field(
        default=512, ge=64, le=65536, description="MiB that it may use beyond what Python itself takes."
    )
    description: str | None = Field(default=None, description="For people.")

    @field_validator("seconds", mode="before")
    @classmethod
    def _whole_seconds(cls, value: Any) -> Any:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
