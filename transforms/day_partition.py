"""How a definition splits a dataset into partitions by date."""

from typing import Literal

from pydantic import Field

from transforms.definition_base import Day, Definition


class DayPartition(Definition):
    """Partition by a date expression over the raw (text) columns; keys are ISO dates (day) or first days of months."""

    by: Literal["day", "month"] = Field(description="Length of one partition.")
    of: str = Field(description="Expression over the raw columns (all of them text) that gives the row's date.")
    start: Day = Field(description="First day (inclusive), as 2013-01-31.")
    end: Day = Field(description="Last day (inclusive).")
