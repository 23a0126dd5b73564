"""What the parts of a domain file mean together: every name that one part uses of another exists and fits.

Parts that are faulty themselves are missing here; what names them is let pass, since their own fault is reported.
"""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from ontology_assets.model.definitions import Link, ObjectType, Property
from ontology_assets.model.node_checks import check_pipeline
from ontology_assets.model.rule_checks import check_rules
from ontology_assets.model.write_checks import check_write
from transforms.definitions import Dataset, Pipeline
from transforms.yaml_source import FieldPath, YamlSource, suggestion

Parts = dict[str, dict[str, Any]]
MAX_PARTITIONS = 20_000


def check_references(source: YamlSource, parts: Parts) -> None:
    """Note the faults between parts in the source."""
    check_timezone(source)
    check_names(source)
    for name, dataset in parts["datasets"].items():
        check_dataset(source, ("datasets", name), dataset)
    for name, pipeline in parts["pipelines"].items():
        check_pipeline(source, ("pipelines", name), pipeline)
        check_write(source, ("pipelines", name), pipeline)
        for local, asset in pipeline.inputs.items():
            check_asset(source, ("pipelines", name, "inputs", local), asset)
        check_rules(source, ("pipelines", name), pipeline, rows_of={*pipeline.inputs, *pipeline.nodes})
    check_circles(source, parts)
    check_referred(source, parts)
    check_partitions(source, parts)
    for name, object_type in parts["object_types"].items():
        check_object_type(source, ("object_types", name), object_type, parts)
    check_inverses(source, parts)
    for name, mapping in parts["mappings"].items():
        check_mapping(source, ("mappings", name), mapping, parts)
    for name in parts["object_types"]:
        if name not in declared(source, "mappings"):
            source.fault(
                ("object_types", name),
                f"type '{name}' has no mapping; say under `mappings` where its objects come from.",
                key=True,
            )


def declared(source: YamlSource, section: str) -> list[str]:
    """Names in a section, also of faulty parts."""
    raw = source.data.get(section)
    return list(raw) if isinstance(raw, dict) else []


def _results(source: YamlSource) -> list[str]:
    """Names of pipelines, of one with several results each of those."""
    found = []
    for name in declared(source, "pipelines"):
        raw = source.data["pipelines"][name]
        outputs = raw.get("outputs") if isinstance(raw, dict) else None
        found += [f"{name}/{output}" for output in outputs] if isinstance(outputs, dict) else [name]
    return found


def unknown(source: YamlSource, at: FieldPath, kind: str, name: str, allowed: list[str], *, key: bool = False) -> None:
    source.fault(at, f"there is no {kind} '{name}'.{suggestion(name, allowed)}", allowed, key=key)


@cache
def timezones() -> frozenset[str]:
    """All names of time zones; finding them reads 600 files."""
    return frozenset(available_timezones())


def check_timezone(source: YamlSource) -> None:
    zone = source.data.get("timezone")
    if isinstance(zone, str) and zone not in timezones():
        close = suggestion(zone, timezones())
        source.fault(
            ("timezone",), f"there is no time zone '{zone}'.{close} They are named as Europe/Paris, Asia/Seoul, UTC."
        )


def check_names(source: YamlSource) -> None:
    """Names become asset keys and folders: two that differ only in how they are written there clash."""
    seen: dict[str, str] = {}
    for name in declared(source, "object_types"):
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        if snake in seen:
            source.fault(
                ("object_types", name),
                f"its assets would be named as those of '{seen[snake]}' (ontology/{snake}).",
                key=True,
            )
        seen[snake] = name


def check_dataset(source: YamlSource, at: FieldPath, dataset: Dataset) -> None:
    partition = dataset.partition
    if partition is not None:
        count = (partition.end - partition.start).days + 1
        if count < 1:
            source.fault((*at, "partition", "end"), f"{partition.end} is before start ({partition.start}).")
        elif partition.by == "day" and count > MAX_PARTITIONS:
            source.fault(
                (*at, "partition", "end"), f"that are {count:,} days; at most {MAX_PARTITIONS:,}. Partition by month."
            )
    elif dataset.replace == "partition":
        source.fault(
            (*at, "replace"), "a dataset without `partition` has no partitions to replace.", ["whole", "nothing"]
        )
    check_rules(source, at, dataset, rows_of=set())


def check_asset(source: YamlSource, at: FieldPath, asset: str) -> bool:
    """Whether an asset that is read exists."""
    allowed = [f"clean/{name}" for name in declared(source, "datasets")]
    allowed += [f"transform/{name}" for name in _results(source)]
    if asset not in allowed:
        unknown(source, at, "asset", asset, allowed)
    return asset in allowed


def check_circles(source: YamlSource, parts: Parts) -> None:
    """Pipelines that read each other in a circle."""
    waiting = {
        name: {asset.removeprefix("transform/") for asset in pipeline.inputs.values() if asset.startswith("transform/")}
        for name, pipeline in parts["pipelines"].items()
    }
    while ready := [name for name, reads in waiting.items() if not reads & waiting.keys()]:
        for name in ready:
            del waiting[name]
    for name in waiting:
        others = ", ".join(f"'{other}'" for other in waiting)
        source.fault(("pipelines", name, "inputs"), f"pipelines read each other in a circle: {others}.")


def check_referred(source: YamlSource, parts: Parts) -> None:
    """Tables that rules refer to exist, and are not made of the table that is judged: they would wait for each
    other."""
    tables = {f"clean/{name}": (("datasets", name), one) for name, one in parts["datasets"].items()}
    tables |= {f"transform/{name}": (("pipelines", name), one) for name, one in parts["pipelines"].items()}
    reads = {
        table: set(part.inputs.values()) if isinstance(part, Pipeline) else set[str]()
        for table, (_, part) in tables.items()
    }
    for table, (_, part) in tables.items():
        reads[table] |= {one.references for one in part.expectations if one.references and one.references != table}
    for table, (at, part) in tables.items():
        for index, one in enumerate(part.expectations):
            here: FieldPath = (*at, "expectations", index, "references")
            if one.references is None or not check_asset(source, here, one.references) or one.references == table:
                continue
            if table in _made_of(one.references, reads):
                detail = f"{one.references} is made of {table}, or judged by it; a reference can't lead in a circle."
                source.fault(here, detail)


def _made_of(table: str, reads: dict[str, set[str]]) -> set[str]:
    """All that a table reads, directly or through others."""
    found: set[str] = set()
    waiting = {table}
    while waiting:
        found |= waiting
        waiting = {other for one in waiting for other in reads.get(one, ())} - found
    return found - {table}


def check_partitions(source: YamlSource, parts: Parts) -> None:
    """One job runs a domain, so whatever is partitioned has the same partitions; a pipeline follows one that has."""
    partitioned = {name: one.partition for name, one in parts["datasets"].items() if one.partition is not None}
    first = next(iter(partitioned), "")
    for name, partition in partitioned.items():
        for field in ("by", "start", "end"):
            wanted = getattr(partitioned[first], field)
            if getattr(partition, field) != wanted:
                detail = f"all partitioned datasets of a domain have the same partitions; '{first}' has {wanted}."
                source.fault(("datasets", name, "partition", field), detail)
    for name, pipeline in parts["pipelines"].items():
        asset = pipeline.inputs.get(pipeline.partition or "")
        if asset is None:
            continue
        layer, _, read = asset.partition("/")
        follows = parts["datasets"].get(read) if layer == "clean" else parts["pipelines"].get(read)
        if follows is not None and follows.partition is None:
            source.fault(("pipelines", name, "partition"), f"{asset} has no partitions to follow; leave the field out.")


def check_object_type(source: YamlSource, at: FieldPath, object_type: ObjectType, parts: Parts) -> None:
    properties = object_type.properties
    for index, name in enumerate(object_type.key):
        here: FieldPath = (*at, "key", index)
        if name not in properties:
            unknown(source, here, "property", name, list(properties))
        elif properties[name].nullable:
            source.fault(
                here, f"property '{name}' is in the key, so it can't be absent: its type is {properties[name].type}."
            )
        elif not properties[name].parsed.usable_in_key:
            source.fault(here, f"property '{name}' is {properties[name].type}, which has no key text.")
        if name in object_type.key[:index]:
            source.fault(here, f"property '{name}' is in the key twice.")
    if object_type.title not in properties:
        unknown(source, (*at, "title"), "property", object_type.title, list(properties))
    for name, one in properties.items():
        check_property(source, (*at, "properties", name), one)
    for name, link in object_type.links.items():
        if name in properties:
            source.fault((*at, "links", name), f"'{name}' is a property already; a link needs its own name.", key=True)
        check_link(source, (*at, "links", name), link, object_type, parts)


def check_property(source: YamlSource, at: FieldPath, one: Property) -> None:
    if one.base == "enum" and not one.values:
        source.fault(at, "an enum needs `values` (code: meaning).", key=True)
    elif one.base != "enum" and one.values:
        source.fault((*at, "values"), f"only an enum has values; the type is {one.type}.")
    if one.search and one.base not in ("string", "enum"):
        source.fault((*at, "search"), f"only text is searched by words; the type is {one.type}.")


def check_link(source: YamlSource, at: FieldPath, link: Link, owner: ObjectType, parts: Parts) -> None:
    for index, name in enumerate(link.by):
        if name not in owner.properties:
            unknown(source, (*at, "by", index), "property", name, list(owner.properties))
    if link.to not in declared(source, "object_types"):
        unknown(source, (*at, "to"), "object type", link.to, declared(source, "object_types"))
    target = parts["object_types"].get(link.to)
    if target is None:
        return
    if len(link.by) != len(target.key):
        detail = f"the key of {link.to} has {len(target.key)} parts ({', '.join(target.key)}), `by` has {len(link.by)}."
        source.fault((*at, "by"), detail)
        return
    for index, (own, other) in enumerate(zip(link.by, target.key, strict=True)):
        mine, theirs = owner.properties.get(own), target.properties.get(other)
        if mine is not None and theirs is not None and not same_key_text(mine.base, theirs.base):
            source.fault((*at, "by", index), f"'{own}' is {mine.base}, but {link.to}.{other} is {theirs.base}.")


def same_key_text(mine: str, theirs: str) -> bool:
    """Whether equal values of two types have the same key text."""
    return mine == theirs or {mine, theirs} == {"string", "enum"}


def check_inverses(source: YamlSource, parts: Parts) -> None:
    """The ways back of a type are named apart from each other, from its properties and from its own links."""
    taken: dict[str, dict[str, str]] = {}
    for name, object_type in parts["object_types"].items():
        taken[name] = dict.fromkeys(object_type.properties, "a property") | dict.fromkeys(object_type.links, "a link")
    for name, object_type in parts["object_types"].items():
        for link_name, link in object_type.links.items():
            names = taken.get(link.to)
            if names is None:
                continue
            if link.inverse in names:
                detail = (
                    f"'{link.inverse}' is {names[link.inverse]} of {link.to} already; a way back needs its own name."
                )
                source.fault(("object_types", name, "links", link_name, "inverse"), detail)
            names[link.inverse] = f"the way back of {name}.{link_name}"


def check_mapping(source: YamlSource, at: FieldPath, mapping: Any, parts: Parts) -> None:
    name = str(at[-1])
    if name not in declared(source, "object_types"):
        unknown(source, at, "object type", name, declared(source, "object_types"), key=True)
    check_asset(source, (*at, "from"), mapping.source)
    object_type: ObjectType | None = parts["object_types"].get(name)
    properties = list(object_type.properties) if object_type is not None else None
    for target in mapping.set:
        if properties is not None and target not in properties:
            unknown(source, (*at, "set", target), "property", target, properties, key=True)
