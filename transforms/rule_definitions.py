"""What a domain file demands of a table: contracts and expectations. Values only; which rule has which fields is in
`ontology_assets.model.rule_checks`, what rules mean in `transforms.contracts` and `transforms.expectations`.
"""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from transforms.definition_base import Column, Definition, Name, Number

Rule = Literal[
    "row_count_between",
    "volume",
    "conserves",
    "not_null",
    "not_empty",
    "unique",
    "values_between",
    "matches",
    "values_in",
    "fk_exists",
    "freshness",
    "distribution",
]
Measure = Literal["mean", "null_share", "quantiles", "new_values"]
DURATION = re.compile(r"(?P<count>[1-9][0-9]{0,4})(?P<unit>[mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """26h as a length of time. ValueError where it is none."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no length of time; write it as 90m, 26h or 7d")
    return timedelta(**{UNITS[match["unit"]]: int(match["count"])})


def _duration(text: str) -> str:
    try:
        duration(text)
    except ValueError as error:
        raise PydanticCustomError("not_a_duration", "{reason}", {"reason": str(error)}) from error
    return text


Duration = Annotated[str, AfterValidator(_duration)]


class Expectation(Definition):
    """One rule over a table, evaluated by Great Expectations."""

    rule: Rule = Field(
        description="What holds; [checks.md](checks.md) has each rule with its fields, an example, and what it makes "
        "of missing values, NaN, empty tables and missing columns."
    )
    severity: Literal["block", "warn"] = Field(
        default="block", description="`block` holds back everything downstream; `warn` only reports."
    )
    column: Column | None = Field(default=None, description="The column whose values are looked at.")
    columns: list[Column] | None = Field(
        default=None, min_length=1, description="Columns that are unique together, or that refer to another table."
    )
    per: Column | None = Field(default=None, description="Count rows for each value of this column.")
    min: Number | None = Field(default=None, description="Smallest allowed value, count or ratio.")
    max: Number | None = Field(default=None, description="Largest allowed value, count, ratio or change.")
    pattern: str | None = Field(default=None, description="Regular expression that each text value must match.")
    values: list[str] | None = Field(default=None, min_length=1, description="The allowed values, as text.")
    sum: list[Column] | None = Field(
        default=None, min_length=1, description="Columns whose total equals the number of rows of `of`."
    )
    of: Name | None = Field(default=None, description="Node or input of the same pipeline whose rows are counted.")
    references: str | None = Field(
        default=None, description="Table that is referred to: `clean/<dataset>` or `transform/<pipeline>`."
    )
    key: list[Column] | None = Field(
        default=None,
        min_length=1,
        description="Columns of `references` that `columns` equal, in the same order; default: those of the same "
        "names.",
    )
    allow_nulls: bool | None = Field(
        default=None, description="`true`: a row with a missing value in `columns` refers to nothing and passes."
    )
    within: Duration | None = Field(
        default=None, description="Highest age: a number and `m`, `h` or `d` (90m, 26h, 7d)."
    )
    against: Literal["versions", "partitions"] | None = Field(
        default=None,
        description="What is compared with: approved earlier `versions` of the same partition, or the `partitions` "
        "before it.",
    )
    last: int | None = Field(default=None, ge=1, le=1000, description="How many of them, the newest; default: 7.")
    measure: Measure | None = Field(
        default=None,
        description="What is compared: `mean` (change in standard deviations), `null_share`, `quantiles` (greatest "
        "change of a cumulative share) or `new_values` (share of rows with values that were not there).",
    )


class ColumnContract(Definition):
    """What holds for every value of a column."""

    null: bool | None = Field(default=None, description="`false`: no value may be missing.")
    matches: str | None = Field(default=None, description="Regular expression that each text value must match.")
    min: Number | None = Field(default=None, description="Smallest allowed value.")
    max: Number | None = Field(default=None, description="Largest allowed value.")
    values: list[str] | None = Field(default=None, min_length=1, description="The allowed values, as text.")


class Contract(Definition):
    """What a consumer may rely on (checked by pandera, always blocking)."""

    unique: list[Column] | None = Field(default=None, min_length=1, description="Columns that are unique together.")
    columns: dict[Column, ColumnContract] = Field(default_factory=dict, description="Rules by column.")
