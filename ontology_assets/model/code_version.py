"""The code version of an asset: a hash of what in its definition changes its data, and of our own code's version.

Labels, descriptions, units and gates (contracts, expectations) are left out: they change no row. What an asset reads is
left out too: it has a data version of its own.
"""

import hashlib
import json
from typing import Any

from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.model.layout import type_named
from transforms.inference import overlay
from transforms.outputs.definition import written_parts
from transforms.parameters import bound_parts

LAYER_VERSIONS = {"raw": 1, "clean": 1, "transform": 1, "ontology": 1, "events": 1, "projection": 1}
"""Raised by hand whenever our code of a layer gives other rows for the same definition and input."""


def code_version(domain: Domain, asset: str) -> str:
    """sha256 (hex) for an asset such as `clean/orders` or `ontology/order/objects`."""
    layer, _, name = asset.partition("/")
    definition = PARTS[layer](domain, name) if layer in PARTS else {}
    document = {"layer": layer, "version": LAYER_VERSIONS[layer], "definition": definition}
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _raw(domain: Domain, name: str) -> dict[str, Any]:
    dataset = domain.datasets[name]
    partition = {"by": dataset.partition.by, "of": dataset.partition.of} if dataset.partition else None
    return {"format": dataset.format, "partition": partition, "timezone": domain.timezone if partition else None}


def _clean(domain: Domain, name: str) -> dict[str, Any]:
    dataset = domain.datasets[name]
    types = overlay(domain.locked_types.get(name, {}), dataset.types) or dict(dataset.types)
    return {"nulls": sorted(dataset.nulls), "types": list(types.items()), "timezone": domain.timezone}


def _transform(domain: Domain, name: str) -> dict[str, Any]:
    pipeline = domain.pipelines[name]
    return {
        "partition": pipeline.partition,
        "inputs": pipeline.inputs,
        "nodes": {key: node.model_dump(exclude_defaults=True) for key, node in pipeline.nodes.items()},
        "output": pipeline.output,
        "timezone": domain.timezone,
        **({"look_back": pipeline.look_back.model_dump()} if pipeline.look_back else {}),
        **bound_parts(pipeline),
        **{key: one.model_dump(exclude_none=True) for key, one in written_parts(pipeline).items()},
    }


def _ontology(domain: Domain, name: str) -> dict[str, Any]:
    snake, _, part = name.partition("/")
    object_type = domain.object_types[type_named(domain, snake)]
    if part == "links":
        return {
            "key": object_type.key,
            "links": _links(object_type, ("to", "by", "inverse", "cardinality", "dangling")),
        }
    mapping = domain.mappings[object_type.name]
    return {
        "type": object_type.name,
        "key": object_type.key,
        "properties": {
            key: {"type": one.type, "values": sorted(one.values or {})} for key, one in object_type.properties.items()
        },
        "links": _links(object_type, ("to", "by")),
        "from": mapping.source,
        "occurred_at": mapping.occurred_at,
        "set": mapping.set,
        "timezone": domain.timezone,
    }


def _links(object_type: ObjectType, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: link.model_dump(include=set(fields)) for name, link in object_type.links.items()}


PARTS = {"raw": _raw, "clean": _clean, "transform": _transform, "ontology": _ontology}
