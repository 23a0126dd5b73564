"""What things are: object types, links, mappings, and the domain that holds them.

Object types name no column of a source; mappings name no label. Values only: reading the file and naming the line of an
error is `ontology_assets.model.loading`.
"""

from typing import Annotated, Literal

from pydantic import Field

from transforms.definitions import Dataset, Definition, Name, Pipeline

TypeName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$")]
Label = dict[Literal["en", "ko"], str]


class Property(Definition):
    """A typed property. `type` is string, integer, double, boolean, date, timestamp, geopoint, enum or decimal(p,s); a
    trailing `?` means that the value may be absent."""

    type: str
    label: Label = Field(default_factory=dict)
    unit: str | None = None
    search: Literal["text"] | None = Field(default=None, description="Found by words in a text search.")
    values: dict[str, str] | None = Field(default=None, description="Allowed values of an enum, with their meaning.")
    was: list[Name] = Field(default_factory=list, description="Earlier names.")
    description: str | None = None

    @property
    def base(self) -> str:
        return self.type.removesuffix("?")

    @property
    def nullable(self) -> bool:
        return self.type.endswith("?")


class Link(Definition):
    """A foreign-key link: `by` lists own properties in the order of the target's key. A null in `by` = no link."""

    to: TypeName
    by: list[Name]
    inverse: Name
    cardinality: Literal["many_to_one", "one_to_one"] = "many_to_one"
    dangling: Literal["keep_and_report", "fail"] = "keep_and_report"
    label: Label = Field(default_factory=dict)


class ObjectType(Definition):
    name: TypeName
    key: list[Name] = Field(min_length=1)
    title: Name
    label: Label = Field(default_factory=dict)
    properties: dict[Name, Property]
    links: dict[Name, Link] = Field(default_factory=dict)
    description: str | None = None

    @property
    def snake(self) -> str:
        """The type's name as it stands in asset keys and table names: CarrierDay -> carrier_day."""
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in self.name).lstrip("_")


class Mapping(Definition):
    """Where the objects of a type come from. A property not named in `set` takes the column of its own name."""

    source: str = Field(alias="from", description="Asset: 'clean/<dataset>' or 'transform/<pipeline>'.")
    occurred_at: str | None = Field(default=None, description="Spark SQL expression; default: recorded_at.")
    set: dict[Name, str] = Field(default_factory=dict)


class Domain(Definition):
    """One domain file, defaults applied and every reference resolved."""

    name: Name
    label: Label = Field(default_factory=dict)
    owners: list[str] = Field(default_factory=list)
    timezone: str = "UTC"
    datasets: dict[Name, Dataset]
    object_types: dict[TypeName, ObjectType]
    mappings: dict[TypeName, Mapping]
    pipelines: dict[Name, Pipeline] = Field(default_factory=dict)
