"""Data versions of the ontology's assets: hashes of what goes into them, so that nothing is worked on twice."""

import hashlib
from collections.abc import Mapping
from typing import Any

from ontology_assets.canonical import canonical_json
from ontology_assets.model.definitions import Domain

CODE = "1"
"""To be raised with a change of this package that changes states."""


def objects_code_version(domain: Domain, type_name: str) -> str:
    """Hash of all definitions that the states of a type's objects depend on; labels are not among them."""
    object_type, mapping = domain.object_types[type_name], domain.mappings[type_name]
    return _hash(
        {
            "code": CODE,
            "timezone": domain.timezone,
            "key": object_type.key,
            "properties": {
                name: {"type": one.type, "values": sorted(one.values) if one.values is not None else None}
                for name, one in object_type.properties.items()
            },
            "links": _links(domain, type_name),
            "mapping": {"from": mapping.source, "occurred_at": mapping.occurred_at, "set": dict(mapping.set)},
        }
    )


def links_code_version(domain: Domain, type_name: str) -> str:
    """Hash of all definitions that the link report of a type depends on."""
    links = domain.object_types[type_name].links
    policies = {name: [one.dangling, one.cardinality] for name, one in links.items()}
    return _hash({"code": CODE, "links": _links(domain, type_name), "policies": policies})


def derived_version(code_version: str, inputs: Mapping[str, str]) -> str:
    """sha256 over a code version and the data versions of the inputs, by name."""
    return _hash({"code_version": code_version, "inputs": dict(inputs)})


def links_inputs(
    domain: Domain, type_name: str, partition: str, versions: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """What a partition's link report depends on: its own objects and every partition of the link targets.

    `versions`: objects asset -> partition -> data version, of the type and of its targets.
    """
    own = f"ontology/{domain.object_types[type_name].snake}/objects"
    targets = {link.to for link in domain.object_types[type_name].links.values()}
    assets = sorted(f"ontology/{domain.object_types[one].snake}/objects" for one in targets)
    inputs = {asset: _hash(dict(versions.get(asset, {}))) for asset in assets}
    return {**inputs, f"{own}@{partition}": versions.get(own, {}).get(partition, "")}


def _links(domain: Domain, type_name: str) -> dict[str, Any]:
    return {
        name: {
            "to": link.to,
            "by": link.by,
            "key": [_key_type(domain, link.to, part) for part in domain.object_types[link.to].key],
        }
        for name, link in domain.object_types[type_name].links.items()
    }


def _key_type(domain: Domain, type_name: str, part: str) -> str:
    return domain.object_types[type_name].properties[part].base


def _hash(document: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()
