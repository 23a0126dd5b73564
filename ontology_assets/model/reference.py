"""The generated parts of `docs/definitions.md`: tables of fields, rules, operations and functions, from the models.

`python -m ontology_assets.model.reference docs/definitions.md` writes them anew; a test says when that is needed.
A part stands between `<!-- kind: name -->` and `<!-- end -->`; everything else in the file is written by people.
"""

import re
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import transforms.expressions  # noqa: F401 - enters all functions into their table
from ontology_assets.model.automation import Automation, Freshness, Schedule
from ontology_assets.model.check_reference import rules
from ontology_assets.model.definitions import Link, Mapping, ObjectType, Property
from ontology_assets.model.loading import DATASET_DEFAULTS, LINK_DEFAULTS, DomainFile
from ontology_assets.model.rule_checks import RULES
from transforms.bound_definitions import Parameter, Udf
from transforms.day_partition import DayPartition
from transforms.definitions import Dataset, LookBack, Output, Pipeline, Source
from transforms.functions import FUNCTIONS
from transforms.nodes.node import Node
from transforms.nodes.table import OPERATIONS
from transforms.outputs.definition import MODES, Incremental, Lateness, Write
from transforms.rule_definitions import ColumnContract, Contract, Expectation
from transforms.validation import HIDDEN, unwrapped

MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        DomainFile, Dataset, Source, DayPartition, Contract, ColumnContract, Expectation, ObjectType, Property, Link,
        Mapping, Pipeline, Output, LookBack, Automation, Schedule, Freshness, Parameter, Write, Incremental, Lateness,
        Udf,
    )
}  # fmt: skip
SECTION_OF = {
    "datasets": "Dataset", "object_types": "ObjectType", "mappings": "Mapping", "pipelines": "Pipeline",
    "udfs": "Udf",
}  # fmt: skip
CHOICES = {"rules": ("rule", RULES), "modes": ("mode", MODES)}
PART = re.compile(r"(<!-- (?P<kind>[a-z]+): (?P<name>[A-Za-z_/.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refreshed(text: str, root: Path) -> str:
    """The document with its generated parts written anew. `root`: folder that file parts are relative to."""
    return PART.sub(lambda match: match[1] + part(match["kind"], match["name"], root) + match[4], text)


def part(kind: str, name: str, root: Path) -> str:
    if kind == "fields":
        return fields(MODELS[name])
    if kind == "functions":
        return "\n".join(f"- `{one.usage}`" for _, one in sorted(FUNCTIONS.items()) if one.kind == name) + "\n"
    if kind == "checks":
        return rules()
    if kind == "operations":
        return operations()
    if kind in CHOICES:
        return choices(*CHOICES[kind])
    return f"```yaml\n{(root / name).read_text('utf-8')}```\n"


def fields(model: type[BaseModel]) -> str:
    """A table of a model's fields."""
    hidden = HIDDEN.get(model.__name__, ())
    rows = ["| field | takes | default | meaning |", "|---|---|---|---|"]
    for name, info in model.model_fields.items():
        if name in hidden:
            continue
        shown = info.alias or name
        rows.append(f"| `{shown}` | {takes(model, name, info)} | {default(info)} | {info.description} |")
    return "\n".join(rows) + "\n"


def operations() -> str:
    """Every operation of pipelines: what it does, its fields, an example."""
    sections = []
    for name, node in OPERATIONS.items():
        words = " ".join((node.__doc__ or "").split())
        sections.append(f"## {name}\n\n{words}\n\n{fields(node)}\n{nested(node)}{example(node)}")
    return "\n" + "\n".join(sections)


def nested(node: type[Node]) -> str:
    """Tables of the models that fields of an operation are made of."""
    found = [
        part
        for info in node.model_fields.values()
        for one in unwrapped(info.annotation)
        for part in (one, *get_args(one))
    ]
    models = [part for part in found if isinstance(part, type) and issubclass(part, BaseModel)]
    return "".join(f"### {model.__name__}\n\n{fields(model)}\n" for model in dict.fromkeys(models))


def example(node: type[Node]) -> str:
    """The example of an operation: what goes in, the node, what comes out."""
    shown = getattr(node, "example", None)
    if shown is None:
        return ""
    parts = [f"`{name}`\n\n{one.markdown()}\n" for name, one in shown.tables.items()]
    parts += [f"```yaml\n{shown.nodes}\n```\n"]
    results = {shown.nodes.partition(":")[0]: shown.result, **(shown.others or {})}
    parts += [f"gives `{name}`\n\n{one.markdown()}\n" for name, one in results.items()]
    return "\n".join(parts)


def takes(model: type[BaseModel], name: str, info: FieldInfo) -> str:
    """What a field takes, in words."""
    if model is DomainFile and name in SECTION_OF:
        return f"mapping of names to [{SECTION_OF[name]}](#{SECTION_OF[name].lower()})"
    if model is DomainFile and name.endswith("_defaults"):
        allowed = DATASET_DEFAULTS if name.startswith("dataset") else LINK_DEFAULTS
        return "mapping: " + ", ".join(f"`{one}`" for one in allowed)
    return spoken(info.annotation)


def spoken(annotation: Any) -> str:  # noqa: PLR0911 - an exit for each form of annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return spoken(arguments[0])
    if origin in (Union, UnionType):
        kinds = [spoken(one) for one in arguments if one is not NoneType]
        return "number" if kinds == ["whole number", "number"] else " or ".join(kinds)
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin is list:
        return f"list of {spoken(arguments[0])}"
    if origin is dict:
        return f"mapping to {spoken(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`"}.get(
        annotation.__name__, str(annotation.__name__)
    )


def default(info: FieldInfo) -> str:
    if info.is_required():
        return "needed"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ({}, []):
        return ""
    return f"`{value}`".replace("'", '"')


def choices(title: str, table: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> str:
    """A table of alternatives with the fields that each needs and may have."""
    rows = [f"| {title} | needs | may have |", "|---|---|---|"]
    for name, (needed, optional) in table.items():
        rows.append(
            f"| `{name}` | {', '.join(f'`{one}`' for one in needed)} | {', '.join(f'`{one}`' for one in optional)} |"
        )
    return "\n".join(rows) + "\n"


def main(arguments: list[str]) -> None:
    for name in arguments:
        path = Path(name)
        path.write_text(refreshed(path.read_text("utf-8"), Path.cwd()), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
