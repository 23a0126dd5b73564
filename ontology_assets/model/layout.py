"""How a domain is laid out as assets: their names, what they read, and what they are partitioned by."""

from collections.abc import Sequence

from ontology_assets.model.definitions import Domain
from resources.errors import SpiceError
from transforms.day_partition import DayPartition


def asset_names(domain: Domain) -> list[str]:
    """All data assets of a domain, in an order in which each comes after what it reads (pipelines: as they depend)."""
    names = [f"{layer}/{dataset}" for dataset in domain.datasets for layer in ("raw", "clean")]
    names += [f"transform/{pipeline}" for pipeline in pipelines_in_order(domain)]
    return names + [
        f"ontology/{domain.object_types[name].snake}/{part}"
        for name in domain.mappings
        for part in ("objects", "links")
    ]


def pipelines_in_order(domain: Domain) -> list[str]:
    """Pipelines, each after those that it reads; one that is in a circle stands at the end."""
    ordered: list[str] = []
    waiting = list(domain.pipelines)
    while waiting:
        ready = [
            name
            for name in waiting
            if not any(asset.removeprefix("transform/") in waiting for asset in domain.pipelines[name].inputs.values())
        ]
        ordered += ready or waiting
        waiting = [name for name in waiting if ready and name not in ready]
    return ordered


def upstream_of(domain: Domain, asset: str) -> list[str]:
    """The assets that an asset reads, in a fixed order."""
    layer, _, name = asset.partition("/")
    if layer == "clean":
        return [f"raw/{name}"]
    if layer == "transform":
        return list(dict.fromkeys(domain.pipelines[name].inputs.values()))
    if layer == "ontology":
        snake, _, part = name.partition("/")
        if part == "links":
            return [f"ontology/{snake}/objects"]
        return [domain.mappings[type_named(domain, snake)].source]
    return []


def downstream_of(domain: Domain, asset: str) -> list[str]:
    """The data assets that read an asset, directly or through others, each after what it reads."""
    reached = {asset}
    for name in asset_names(domain):
        if reached.intersection(upstream_of(domain, name)):
            reached.add(name)
    return [name for name in asset_names(domain) if name in reached and name != asset]


def partitioning_of(domain: Domain, asset: str) -> DayPartition | None:
    """The partitions of an asset: a dataset's own; a pipeline follows its `partition` input, a type its source."""
    layer, _, name = asset.partition("/")
    if layer in ("raw", "clean"):
        return domain.datasets[name].partition
    if layer == "transform":
        followed = domain.pipelines[name].partition
        return None if followed is None else partitioning_of(domain, domain.pipelines[name].inputs[followed])
    if layer == "ontology":
        return partitioning_of(domain, domain.mappings[type_named(domain, name.partition("/")[0])].source)
    return None


def look_back_of(domain: Domain, asset: str, upstream: str) -> int:
    """How many partitions before its own an asset reads of an upstream one."""
    layer, _, name = asset.partition("/")
    if layer != "transform":
        return 0
    pipeline = domain.pipelines[name]
    if pipeline.look_back is None or pipeline.inputs.get(pipeline.partition or "") != upstream:
        return 0
    return pipeline.look_back.partitions


def type_named(domain: Domain, snake: str) -> str:
    """The object type whose assets are named `ontology/<snake>/...`."""
    return next(name for name, object_type in domain.object_types.items() if object_type.snake == snake)


def check_together(domains: Sequence[Domain]) -> None:
    """Raise SpiceError where two domains make one asset: datasets, pipelines and types share one space of names."""
    taken: dict[str, str] = {}
    for domain in domains:
        for asset in asset_names(domain):
            other = taken.setdefault(asset, domain.name)
            if other != domain.name:
                raise SpiceError(
                    "Name taken",
                    f"the domains {other} and {domain.name} both make the asset {asset}; "
                    "give one of the two another name.",
                    where=f"orchestration/defs/{domain.name}/domain.yaml",
                )
