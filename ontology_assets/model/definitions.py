"""What things are: object types, links, mappings, and the domain that holds them.

Object types name no column of a source; mappings name no label. Values only: reading the file and naming the line of an
error is `ontology_assets.model.loading`. The descriptions are the reference that users read (`docs/definitions.md`).
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ontology_assets.model.automation import Automation
from transforms.definition_base import Day, Definition, Name
from transforms.definitions import Dataset, Pipeline
from transforms.types import ALLOWED_PROPERTY_TYPES, ColumnType, parse_type

TypeName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{0,62}$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Label = dict[Language, Annotated[str, Field(min_length=1, max_length=200)]]
Owner = Annotated[str, Field(pattern=r"^team:[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
LABEL = "Names for people by language (`en`, `ko`, ...)."


def _property_type(text: str) -> str:
    try:
        parse_type(text)
    except ValueError as error:
        context = {"reason": str(error), "allowed": ALLOWED_PROPERTY_TYPES}
        raise PydanticCustomError("not_a_type", "{reason}", context) from error
    return text


class Property(Definition):
    """A typed property. The short form `name: string?` is `name: {type: string?}`."""

    type: Annotated[str, AfterValidator(_property_type)] = Field(
        description="`string`, `integer`, `double`, `boolean`, `date`, `timestamp`, `geopoint`, `enum` or "
        "`decimal(p,s)`; a trailing `?` means that the value may be absent."
    )
    label: Label = Field(default_factory=dict, description=LABEL)
    unit: str | None = Field(default=None, max_length=30, description="Unit of measure, for people.")
    search: Literal["text"] | None = Field(default=None, description="`text`: found by words in a text search.")
    values: dict[str, str] | None = Field(
        default=None,
        min_length=1,
        description="Allowed codes of an enum, each with its meaning; needed for `enum` and only there.",
    )
    was: list[Name] = Field(default_factory=list, description="Earlier names of the property.")
    description: str | None = Field(default=None, description="For people.")

    @property
    def base(self) -> str:
        return self.type.removesuffix("?")

    @property
    def nullable(self) -> bool:
        return self.type.endswith("?")

    @property
    def parsed(self) -> ColumnType:
        return parse_type(self.type)


class Link(Definition):
    """A foreign-key link. An object whose `by` has a missing value has no such link."""

    to: TypeName = Field(description="Object type that the link leads to.")
    by: list[Name] = Field(min_length=1, description="Own properties that equal the target's key, in the key's order.")
    inverse: Name = Field(description="Name of the way back, unique among the target's properties, links and inverses.")
    cardinality: Literal["many_to_one", "one_to_one"] = Field(
        default="many_to_one", description="`one_to_one`: at most one object may link to a target."
    )
    dangling: Literal["keep_and_report", "fail"] = Field(
        default="keep_and_report",
        description="What to do where the target does not exist: keep the link and count it, or fail.",
    )
    label: Label = Field(default_factory=dict, description=LABEL)
    inverse_label: Label = Field(default_factory=dict, description="Names of the way back for people, by language.")
    description: str | None = Field(default=None, description="For people.")


class ObjectType(Definition):
    """A class of things: key, title, properties, links. Its name (CamelCase) is the key it stands under."""

    name: TypeName = Field(description="The key that the type stands under; not a field of the file.")
    key: list[Name] = Field(
        min_length=1, description="Properties that identify an object, in the order of its key text."
    )
    title: Name = Field(description="Property that is shown as the object's title.")
    label: Label = Field(default_factory=dict, description=LABEL)
    properties: dict[Name, Property] = Field(min_length=1, description="Properties by name; `name: type` for short.")
    links: dict[Name, Link] = Field(default_factory=dict, description="Links by name.")
    description: str | None = Field(default=None, description="For people.")

    @property
    def snake(self) -> str:
        """The type's name as it stands in asset keys and table names: OrderLine -> order_line."""
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in self.name).lstrip("_")


class Mapping(Definition):
    """Where the objects of a type come from. A property not named in `set` takes the column of its own name."""

    source: str = Field(alias="from", description="Asset: `clean/<dataset>` or `transform/<pipeline>`.")
    occurred_at: str | None = Field(
        default=None,
        description="Expression (a timestamp) for the business time of a change; default: the time of recording.",
    )
    set: dict[Name, str] = Field(default_factory=dict, description="Property -> expression over the columns of `from`.")
    edits: Literal["refused", "allowed"] = Field(
        default="refused",
        description="`allowed`: people may edit the objects by command; an edited property is then kept by later loads "
        "until the edit is undone.",
    )


class Domain(Definition):
    """One domain file, defaults applied and every reference resolved."""

    name: Name = Field(description="Name of the domain.")
    label: Label = Field(default_factory=dict)
    owners: list[str] = Field(default_factory=list)
    timezone: str = "UTC"
    first_day: Day | None = None
    datasets: dict[Name, Dataset]
    object_types: dict[TypeName, ObjectType]
    mappings: dict[TypeName, Mapping]
    pipelines: dict[str, Pipeline] = Field(default_factory=dict)
    automation: Automation = Field(default_factory=Automation)
    locked_types: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Inferred types by dataset and column (`types.lock`); empty where nothing was inferred yet."""
    file: str | None = Field(default=None, exclude=True)
    """The file it stands in, as messages name it; no part of what the domain is. None: it belongs to no file."""
    description: str | None = None
