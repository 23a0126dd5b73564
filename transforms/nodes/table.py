"""The operations of pipelines. A new one is a module with a `Node` of its own, and a line here."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, SerializeAsAny
from pydantic_core import PydanticCustomError

from transforms.nodes.cast import Cast
from transforms.nodes.compute import Compute
from transforms.nodes.explode import Explode
from transforms.nodes.fill import Fill
from transforms.nodes.filter import Filter
from transforms.nodes.geospatial import Geospatial
from transforms.nodes.group_by import Aggregate, GroupBy
from transforms.nodes.join import Join
from transforms.nodes.lookup import Lookup, StreamJoin
from transforms.nodes.node import Node
from transforms.nodes.pivot import Pivot, Unpivot
from transforms.nodes.rows import Dedupe, Sample, Sort
from transforms.nodes.select import Drop, Rename, Select
from transforms.nodes.split import Split
from transforms.nodes.text import Normalize, PatternMining, RegexReplace
from transforms.nodes.udf import CallUdf
from transforms.nodes.union import Union
from transforms.nodes.window import Window
from transforms.yaml_source import suggestion

OPERATIONS: dict[str, type[Node]] = {
    one.operation: one
    for one in (
        Filter, Split, Compute, Select, Drop, Rename, Cast, Fill, Normalize, RegexReplace, PatternMining, Geospatial,
        Dedupe, Sort, Sample, Union, Join, Lookup, StreamJoin, GroupBy, Aggregate, Window, Pivot, Unpivot, Explode,
        CallUdf,
    )
}  # fmt: skip
"""By the field that names each."""


def operations_of(data: Mapping[str, Any]) -> list[str]:
    """The operations that a mapping names. A field that belongs to another one of them names none: `aggregate` beside
    `group_by`."""
    named = [name for name in OPERATIONS if data.get(name) is not None]
    return [
        name for name in named if not any(name in OPERATIONS[other].model_fields for other in named if other != name)
    ]


def node_model(data: Any) -> type[Node] | None:
    """The operation that a mapping names, if it is one."""
    found = operations_of(data) if isinstance(data, Mapping) else []
    return OPERATIONS[found[0]] if len(found) == 1 else None


def node_of(data: Any) -> Any:
    """The node that a mapping describes. Raises ValidationError, or what says that it is not one operation."""
    if not isinstance(data, Mapping):
        return data
    found = operations_of(data)
    if len(found) == 1:
        return OPERATIONS[found[0]].model_validate(data)
    said = f"has {len(found)} operations ({', '.join(found)})" if found else "has no operation"
    hint = "" if found else next((hint for key in data if (hint := suggestion(str(key), OPERATIONS))), "")
    raise PydanticCustomError(
        "not_one_operation",
        "a node is one operation; this one {said}.{hint}",
        {"said": said, "hint": hint, "allowed": list(OPERATIONS)},
    )


AnyNode: TypeAlias = Annotated[SerializeAsAny[Node], BeforeValidator(node_of)]
