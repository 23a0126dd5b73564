"""What a domain file says about tables: datasets, pipelines, their contracts and expectations.

Values only. How a file is read, and how an error names its line, is in `transforms.yaml_source`; what things *are* (object
types, mappings) is in `ontology_assets.model`.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Column = Annotated[str, Field(min_length=1, max_length=255)]


class Definition(BaseModel):
    """Base of every definition value: frozen, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Source(Definition):
    """Where files lie: a folder below `<home>/sources/`, and the Python package that ships a copy of them, if any."""

    folder: str = Field(description="Folder below <home>/sources/ that holds the files.")
    package: str | None = Field(
        default=None,
        description="Installed distribution and folder in it ('dist:folder') from which `spice sources` fills the folder.",
    )


class DayPartition(Definition):
    """Partition by a date expression over the raw (text) columns; keys are ISO dates (day) or first days of months."""

    by: Literal["day", "month"]
    of: str = Field(description="Spark SQL expression over the raw columns that gives the row's date.")
    start: date
    end: date = Field(description="Last day (inclusive).")


class Expectation(Definition):
    """One Great Expectations rule over a table. `severity: block` holds back what is downstream."""

    rule: Literal["row_count_between", "conserves", "values_between", "not_null", "unique", "matches", "values_in"]
    severity: Literal["block", "warn"] = "block"
    column: Column | None = None
    columns: list[Column] | None = None
    per: Column | None = None
    min: float | int | None = None
    max: float | int | None = None
    pattern: str | None = None
    values: list[str] | None = None
    sum: list[Column] | None = None
    of: Name | None = None


class ColumnContract(Definition):
    null: bool | None = None
    matches: str | None = None
    min: float | int | None = None
    max: float | int | None = None
    values: list[str] | None = None


class Contract(Definition):
    """What a consumer may rely on (checked by pandera, always blocking)."""

    unique: list[Column] | None = None
    columns: dict[Column, ColumnContract] = Field(default_factory=dict)


class Dataset(Definition):
    """A file that becomes `raw/<name>` and `clean/<name>`."""

    file: str
    source: Source | None = None
    format: Literal["csv"] = "csv"
    nulls: list[str] = Field(default_factory=lambda: [""], description="Texts that mean 'no value'.")
    partition: DayPartition | None = None
    replace: Literal["partition", "whole", "nothing"] = "whole"
    types: dict[Column, str] = Field(default_factory=dict, description="Declared types; others are inferred once.")
    contract: Contract | None = None
    expectations: list[Expectation] = Field(default_factory=list)
    description: str | None = None


class Node(Definition):
    """One operation of a pipeline. Exactly one operation field is set; `from` names the node or input it reads."""

    source: Name = Field(alias="from")
    filter: str | None = None
    compute: dict[Column, str] | None = None
    select: list[Column] | None = None
    join: Name | None = None
    on: list[Column] | None = None
    how: Literal["inner", "left"] | None = None
    keep: dict[Column, Column] | None = None
    group_by: list[Column] | None = None
    aggregate: dict[Column, str] | None = None
    window: dict[Column, str] | None = None
    partition_by: list[Column] | None = None
    order_by: list[Column] | None = None
    pivot: Column | None = None
    values: dict[str, str] | None = None
    index: list[Column] | None = None
    columns: list[Column] | None = None


class Pipeline(Definition):
    """A graph of nodes that becomes `transform/<name>`."""

    partition: Name | None = Field(default=None, description="The input whose partitions this pipeline follows.")
    inputs: dict[Name, str] = Field(description="Local name -> asset ('clean/<dataset>' or 'transform/<pipeline>').")
    nodes: dict[Name, Node]
    output: Name
    contract: Contract | None = None
    expectations: list[Expectation] = Field(default_factory=list)
    description: str | None = None


