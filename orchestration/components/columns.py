"""What the columns of each kind of table are, for people: from the labels, units and rules that a domain file has.

Texts only; types are said by who has them. Where a value comes from is lineage (`lineage.py`).
"""

from collections.abc import Mapping

from ontology_assets.model.definitions import Domain, Label, ObjectType, Property
from transforms.inference import overlay
from transforms.outcomes import contract_names
from transforms.rule_definitions import Contract

ROW_COLUMNS = {
    "_source_file": "File that the row stood in.",
    "_source_sha256": "Hash of that file's bytes.",
    "_row": "Number of the row in the file, from 1, without the header.",
    "_line": "Line of the file that the row begins on, from 1.",
    "_partition": "Partition of the row.",
}
DANGLING_COLUMNS = {
    "_partition": "Partition of the object that has the link.",
    "link": "Name of the link.",
    "from_id": "Object that has the link.",
    "to_type": "Type that the link leads to.",
    "to_id": "Id of the object that does not exist.",
}
EVENT_COLUMNS = {
    "event_id": "Unique; derived from what happened, so a repeated run appends nothing.",
    "event_type": "ObjectCreated, ObjectUpdated, ObjectDeleted, or the envelope of a materialization.",
    "domain": "Domain of the log.",
    "branch": "Branch of the domain.",
    "aggregate_type": "Object type; Asset for envelopes.",
    "aggregate_id": "Object id: the key's parts, percent-encoded and joined by /.",
    "sequence_number": "1..n for each aggregate, without gap.",
    "occurred_at": "Business time of the change.",
    "recorded_at": "Time of the append.",
    "actor": "Who asked for the change.",
    "command_id": "Command that caused it.",
    "correlation_id": "What it belongs to.",
    "causation_id": "Event or command that it follows from.",
    "schema_version": "Version of the form of `data`.",
    "data": "JSON: the whole state after the change, and the changed fields.",
    "metadata": "JSON: Dagster run id, asset, partition, code version, source file, row and line.",
    "state_hash": "sha256 of the state in canonical form.",
    "position": "Place in the log: 1..n for each domain, without gap.",
    "bucket": "First two hex digits of sha256(aggregate_id).",
    "batch_id": "Batch that it was appended with.",
    "owner": "Partition or edit that the object belongs to.",
    "record": "Number of the commit record that holds it.",
    "event_day": "UTC day of recorded_at.",
}


def known_types(domain: Domain, dataset: str) -> dict[str, str]:
    """Types of a dataset's columns as far as they are declared or locked; {} before the first inference."""
    declared = domain.datasets[dataset].types
    return overlay(domain.locked_types.get(dataset, {}), declared) or dict(declared)


def raw_columns(domain: Domain, dataset: str) -> dict[str, str]:
    """Texts for `raw/<dataset>`: what a column is and which type it takes on in clean."""
    one = domain.datasets[dataset]
    nulls = ", ".join(f"`{text}`" for text in one.nulls if text)
    absent = f" {nulls} is no value." if nulls else ""
    meaning = _meaning(domain, f"clean/{dataset}", None)
    texts = {
        name: " ".join([*meaning.get(name, []), f"As text; {kind.removesuffix('?')} in `clean/{dataset}`."])
        + (absent if kind.endswith("?") else "")
        for name, kind in known_types(domain, dataset).items()
    }
    return {**texts, **ROW_COLUMNS}


def table_columns(domain: Domain, asset: str) -> dict[str, str]:
    """Texts for `clean/<dataset>` and `transform/<pipeline>`: what the properties made of a column say; its rules."""
    layer, _, name = asset.partition("/")
    contract = (domain.datasets[name] if layer == "clean" else domain.pipelines[name]).contract
    return {column: " ".join(texts) for column, texts in _meaning(domain, asset, contract).items()} | ROW_COLUMNS


def object_columns(object_type: ObjectType) -> dict[str, str]:
    """Texts for the properties of a type."""
    return {name: " ".join(_of_property(object_type, name, one)) for name, one in object_type.properties.items()}


def _meaning(domain: Domain, asset: str, contract: Contract | None) -> dict[str, list[str]]:
    """Sentences by column: of each property that is this very column, then of the contract."""
    found: dict[str, list[str]] = {}
    for type_name, mapping in domain.mappings.items():
        if mapping.source != asset:
            continue
        object_type = domain.object_types[type_name]
        for name, one in object_type.properties.items():
            column = mapping.set.get(name, name)
            if column.isidentifier():
                found.setdefault(column, []).append(f"{_label(one.label) or name}{_unit(one)} of {type_name}.")
    if contract is not None and contract.columns:
        rules = contract_names(contract)[-len(contract.columns) :]
        for column, rule in zip(contract.columns, rules, strict=True):
            found.setdefault(column, []).append(f"Contract: {rule.expected}.")
    return found


def _of_property(object_type: ObjectType, name: str, one: Property) -> list[str]:
    texts = [f"{_label(one.label) or name}{_unit(one)}."]
    if one.description:
        texts.append(one.description.rstrip(".") + ".")
    if one.values:
        texts.append(f"One of {_meanings(one.values)}.")
    if name in object_type.key:
        several = len(object_type.key) > 1
        texts.append(f"Key, part {object_type.key.index(name) + 1} of {len(object_type.key)}." if several else "Key.")
    if name == object_type.title:
        texts.append("Title.")
    links = [f"`{key}` → {link.to}" for key, link in object_type.links.items() if name in link.by]
    if links:
        texts.append(f"Links: {', '.join(links)}.")
    return texts


def _label(label: Label) -> str:
    return " · ".join(label.values())


def _unit(one: Property) -> str:
    return f" [{one.unit}]" if one.unit else ""


def _meanings(values: Mapping[str, str]) -> str:
    return ", ".join(f"{code} ({meaning})" for code, meaning in values.items())
