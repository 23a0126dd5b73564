"""What a domain file says about tables: datasets, pipelines, their contracts and expectations.

Values only. How a file is read, and how an error names its line, is in `transforms.yaml_source` and
`transforms.validation`; what things *are* (object types, mappings) is in `ontology_assets.model`. The descriptions here
are the reference that users read (`docs/definitions.md` is written from them).
"""

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, PrivateAttr

from transforms.bound_definitions import Parameter
from transforms.definition_base import Column, ColumnTypeText, Day, Definition, Name
from transforms.rule_definitions import Contract, Expectation
from transforms.udf_code import UdfCode

ORDERING = re.compile(r"(?P<column>.+?)(\s+(?P<way>asc|desc))?", re.IGNORECASE)


class Source(Definition):
    """Where files lie: a folder below `<home>/sources/`, and the Python package that ships a copy of them, if any."""

    folder: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        description="Folder below `<home>/sources/` that holds the files.",
    )
    package: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._/-]*$",
        description="Installed distribution and folder in it (`distribution:folder`) from which the folder is filled.",
    )


class DayPartition(Definition):
    """Partition by a date expression over the raw (text) columns; keys are ISO dates (day) or first days of months."""

    by: Literal["day", "month"] = Field(description="Length of one partition.")
    of: str = Field(description="Expression over the raw columns (all of them text) that gives the row's date.")
    start: Day = Field(description="First day (inclusive), as 2013-01-31.")
    end: Day = Field(description="Last day (inclusive).")


class Dataset(Definition):
    """A file that becomes `raw/<name>` (text as it came) and `clean/<name>` (typed)."""

    file: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,254}$",
        description="Name of the file in the source's folder; may be a .zip of one file.",
    )
    source: Source | None = Field(
        default=None, description="Where the file lies; default: a folder named like the domain."
    )
    format: Literal["csv"] = Field(default="csv", description="Format of the file.")
    nulls: list[str] = Field(default_factory=lambda: [""], description="Texts that mean 'no value'.")
    partition: DayPartition | None = Field(default=None, description="How rows are split; absent: one whole table.")
    replace: Literal["partition", "whole", "nothing"] = Field(
        default="whole",
        description="What a new file replaces: the partitions it has rows of, everything, or nothing (it only adds). "
        "The objects of a key that is gone are deleted.",
    )
    types: dict[Column, ColumnTypeText] = Field(
        default_factory=dict,
        description="Declared types of columns (`string`, `integer`, `double`, `boolean`, `date`, `timestamp`, "
        "`decimal(p,s)`; a trailing `?` = may be absent). The others are inferred once and kept in `types.lock`.",
    )
    contract: Contract | None = Field(
        default=None, description="What consumers of `clean/<name>` rely on; always blocking."
    )
    expectations: list[Expectation] = Field(default_factory=list, description="Rules over `clean/<name>`.")
    description: str | None = Field(default=None, description="For people.")


class Node(Definition):
    """One operation of a pipeline: exactly one of filter, compute, select, join, group_by, window, pivot."""

    source: Name = Field(alias="from", description="Node or input that this node reads.")
    filter: str | None = Field(default=None, description="Keep the rows for which this expression is true.")
    compute: dict[Column, str] | None = Field(
        default=None,
        min_length=1,
        description="New columns (or new values of old ones) by expression over the input's columns.",
    )
    select: list[Column] | None = Field(default=None, min_length=1, description="Keep these columns, in this order.")
    join: Name | None = Field(default=None, description="Node or input to join; needs `on` and `how`.")
    on: list[Column] | None = Field(
        default=None, min_length=1, description="Columns that are equal on both sides of a join."
    )
    how: Literal["inner", "left"] | None = Field(default=None, description="Kind of join.")
    keep: dict[Column, Column] | None = Field(
        default=None,
        description="Columns taken from the joined side, with their new names; absent: all but those in `on`.",
    )
    group_by: list[Column] | None = Field(
        default=None, min_length=1, description="Group by these columns; needs `aggregate`."
    )
    aggregate: dict[Column, str] | None = Field(
        default=None, min_length=1, description="New columns by aggregate expression."
    )
    window: dict[Column, str] | None = Field(
        default=None, min_length=1, description="New columns by window function; needs `partition_by` or `order_by`."
    )
    partition_by: list[Column] | None = Field(default=None, min_length=1, description="Columns that bound a window.")
    order_by: list[Column] | None = Field(
        default=None,
        min_length=1,
        description="Order inside a window: `column`, or `column desc`; missing values come first, with `desc` last.",
    )
    pivot: Column | None = Field(
        default=None, description="Column whose values become columns; needs `values`, `index` and `columns`."
    )
    values: dict[str, str] | None = Field(
        default=None,
        min_length=1,
        description="Value of the pivot column -> suffix of the new columns (`<column>_<suffix>`).",
    )
    index: list[Column] | None = Field(
        default=None, min_length=1, description="Columns that make one row of the pivot's result."
    )
    columns: list[Column] | None = Field(
        default=None, min_length=1, description="Columns that are spread by the pivot."
    )
    udf: Name | None = Field(default=None, description="Add the columns that this function of `udfs` gives.")
    takes: dict[Column, Column] | None = Field(
        default=None,
        min_length=1,
        description="The function's column -> the node's column it is given; those not named have the same name.",
    )


class LookBack(Definition):
    """Partitions of the followed input that are read beside the pipeline's own."""

    partitions: int = Field(ge=1, le=366, description="How many partitions before its own are read too.")
    day: Name = Field(
        alias="as",
        description="Name of a date column that the input has then: the first day of the partition that a row is read "
        "for. A row is there once for each partition that reads it.",
    )


class Pipeline(Definition):
    """A graph of nodes that becomes `transform/<name>`."""

    partition: Name | None = Field(
        default=None, description="The input whose partitions this pipeline follows; the others are read whole."
    )
    look_back: LookBack | None = Field(
        default=None, description="Read partitions of the followed input that lie before its own, too."
    )
    inputs: dict[Name, str] = Field(
        min_length=1, description="Local name -> asset (`clean/<dataset>` or `transform/<pipeline>`)."
    )
    parameters: dict[Name, Parameter] = Field(
        default_factory=dict, description="Values that its expressions name as `:name`."
    )
    nodes: dict[Name, Node] = Field(min_length=1, description="The operations by name; a graph by `from` and `join`.")
    output: Name = Field(description="The node whose rows are the result.")
    contract: Contract | None = Field(default=None, description="What consumers rely on; always blocking.")
    expectations: list[Expectation] = Field(default_factory=list, description="Rules over the result.")
    description: str | None = Field(default=None, description="For people.")
    _udfs: dict[str, UdfCode] = PrivateAttr(default_factory=dict)
    _calendar: DayPartition | None = PrivateAttr(default=None)

    @property
    def udfs(self) -> Mapping[str, UdfCode]:
        """The functions that its nodes may call, with their code; whoever read the domain's files put them here."""
        return self._udfs

    @property
    def calendar(self) -> DayPartition | None:
        """The partitions of the input that it follows; whoever read the domain's files put them here."""
        return self._calendar

    def with_calendar(self, calendar: DayPartition | None) -> "Pipeline":
        """The pipeline with the partitions of the input that it follows."""
        bound = self.model_copy()
        bound._calendar = calendar  # noqa: SLF001 - of its own class
        return bound

    def with_udfs(self, udfs: Mapping[str, UdfCode]) -> "Pipeline":
        """The pipeline with the functions that stand beside it."""
        bound = self.model_copy()
        bound._udfs = dict(udfs)  # noqa: SLF001 - of its own class
        return bound


def ordering(text: str) -> tuple[str, bool]:
    """Column and 'descending' of one entry of `order_by`: `mean desc` -> ("mean", True)."""
    match = ORDERING.fullmatch(text.strip())
    if match is None:
        return text, False
    return match["column"], (match["way"] or "asc").lower() == "desc"
