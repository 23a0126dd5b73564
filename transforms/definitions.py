"""What a domain file says about tables: datasets, pipelines, their contracts and expectations.

Values only. How a file is read, and how an error names its line, is in `transforms.yaml_source` and
`transforms.validation`; what things *are* (object types, mappings) is in `ontology_assets.model`. The descriptions here
are the reference that users read (`docs/definitions.md` is written from them).
"""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from transforms.bound_definitions import Parameter
from transforms.day_partition import DayPartition
from transforms.definition_base import Column, ColumnTypeText, Definition, Name
from transforms.nodes.table import AnyNode
from transforms.outputs.definition import Incremental, Write
from transforms.rule_definitions import Contract, Expectation
from transforms.udf_code import UdfCode


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


class LookBack(Definition):
    """Partitions of the followed input that are read beside the pipeline's own."""

    partitions: int = Field(ge=1, le=366, description="How many partitions before its own are read too.")
    day: Name = Field(
        alias="as",
        description="Name of a date column that the input has then: the first day of the partition that a row is read "
        "for. A row is there once for each partition that reads it.",
    )


class Output(Definition):
    """One result of a pipeline that has several."""

    node: Name = Field(description="The node whose rows are this result.")
    write: Write | None = Field(
        default=None, description="How the result becomes the table; default: it replaces what was there."
    )
    incremental: Incremental | None = Field(
        default=None, description="Compute only what changes of the inputs can have changed."
    )
    contract: Contract | None = Field(default=None, description="What consumers rely on; always blocking.")
    expectations: list[Expectation] = Field(default_factory=list, description="Rules over the result.")
    description: str | None = Field(default=None, description="For people.")


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
    nodes: dict[Name, AnyNode] = Field(
        min_length=1,
        description="The operations by name ([transforms.md](transforms.md)); `from` and others name what it reads.",
    )
    output: Name = Field(
        default="", description="The node whose rows are the result; needed unless there are `outputs`."
    )
    outputs: dict[Name, Output] = Field(
        default_factory=dict,
        description="Several results instead of one, by name; each becomes `transform/<pipeline>/<name>`.",
    )
    write: Write | None = Field(
        default=None, description="How the result becomes the table; default: it replaces what was there."
    )
    incremental: Incremental | None = Field(
        default=None, description="Compute only what changes of the inputs can have changed."
    )
    contract: Contract | None = Field(default=None, description="What consumers rely on; always blocking.")
    expectations: list[Expectation] = Field(default_factory=list, description="Rules over the result.")
    description: str | None = Field(default=None, description="For people.")
    _udfs: dict[str, UdfCode] = PrivateAttr(default_factory=dict)
    _calendar: DayPartition | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if not self.output and not self.outputs:
            raise PydanticCustomError("no_output", "the field 'output' is missing (or `outputs`, for several results)")
        if self.output and self.outputs:
            raise PydanticCustomError("two_outputs", "`output` names the only result; with `outputs` leave it out")
        own = (self.contract, self.write, self.incremental)
        if self.outputs and (self.expectations or any(part is not None for part in own)):
            said = "each of the `outputs` has its own `contract`, `expectations`, `write` and `incremental`"
            raise PydanticCustomError("several", said)
        return self

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
