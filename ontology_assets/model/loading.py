"""From a domain file to a `Domain`: versions, defaults, short forms; faults of all parts are reported together.

What a part means alone is checked here by its model; what parts mean together is in `ontology_assets.model.references`.
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from ontology_assets.events.envelope import OWN_TYPES
from ontology_assets.model.automation import Automation, check_automation
from ontology_assets.model.definitions import Domain, Label, Mapping, ObjectType, Owner
from ontology_assets.model.layout import partitioning_of
from ontology_assets.model.references import check_references, timezones
from ontology_assets.model.type_checks import check_types
from transforms.bound_definitions import Udf
from transforms.definition_base import Day, Definition, Name
from transforms.definitions import Dataset, Pipeline, Source
from transforms.several_outputs import needed_only, single_outputs
from transforms.types_lock import lock_path, read_types_lock
from transforms.udf_code import UdfCode
from transforms.udf_lock import FILE_NAME as UDF_LOCK
from transforms.udf_lock import load_udf, lock_fault, read_udf_lock
from transforms.validation import field_names, validate
from transforms.yaml_reading import read_yaml
from transforms.yaml_source import FieldPath, YamlSource, suggestion

FORMAT = 1
FILE_NAME = "domain.yaml"


class DomainFile(Definition):
    """The top level of a domain file."""

    spice: int = Field(description="Version of this format: 1.")
    domain: Name = Field(description="Name of the domain; names its log and its folder.")
    label: Label = Field(default_factory=dict, description="Names for people by language (`en`, `ko`, ...).")
    owners: list[Owner] = Field(default_factory=list, description="Who answers for it, each as `team:<name>`.")
    timezone: str = Field(default="UTC", description="IANA time zone of dates and of times without a zone.")
    first_day: Day | None = Field(
        default=None,
        description="First day of `occurred_at` (UTC) that there are events of: the months of a replay begin there. "
        "Default: the first day that a dataset is partitioned by.",
    )
    description: str | None = Field(default=None, description="For people.")
    dataset_defaults: dict[str, Any] = Field(
        default_factory=dict, description="Fields that every dataset has unless it says otherwise."
    )
    link_defaults: dict[str, Any] = Field(
        default_factory=dict, description="Fields that every link has unless it says otherwise."
    )
    datasets: dict[Name, Any] = Field(
        default_factory=dict, description="Files, by name; each becomes `raw/<name>` and `clean/<name>`."
    )
    object_types: dict[str, Any] = Field(
        default_factory=dict, description="What things are, by name. No column of a source is named here."
    )
    mappings: dict[str, Any] = Field(
        default_factory=dict, description="Where the objects of a type come from, by type."
    )
    pipelines: dict[Name, Any] = Field(
        default_factory=dict, description="Tables made of tables, by name; each becomes `transform/<name>`."
    )
    automation: Automation = Field(
        default_factory=Automation, description="What the domain does by itself; nothing, where it says nothing."
    )
    udfs: dict[Name, Any] = Field(
        default_factory=dict, description="Functions in Python, `udfs/<name>.py` beside this file, by name."
    )


SECTIONS: dict[str, type[Definition]] = {
    "datasets": Dataset,
    "object_types": ObjectType,
    "mappings": Mapping,
    "pipelines": Pipeline,
    "udfs": Udf,
}
DATASET_DEFAULTS = ("source", "format", "nulls", "replace")
LINK_DEFAULTS = ("cardinality", "dangling")


def load_domain(path: Path) -> Domain:
    """Read a domain from its folder or its `domain.yaml`. All faults are raised together, as one `DefinitionError`."""
    source = read_yaml(path / FILE_NAME if path.is_dir() else path)
    if not isinstance(source.data, dict):
        source.fault(
            (),
            "the file is empty." if source.data is None else "the file should be a mapping (`field: value`).",
            field_names(DomainFile),
        )
        source.raise_faults()
    check_version(source)
    file = validate(DomainFile, source.data, source, ())
    sections = dict(source.data)
    fill_defaults(sections, source)
    parts = {section: read_section(sections.get(section), section, source) for section in SECTIONS}
    udfs = read_udfs(parts.pop("udfs"), source)
    parts["pipelines"] = read_outputs({n: one.with_udfs(udfs) for n, one in parts["pipelines"].items()}, source)
    check_references(source, parts)
    if file is not None:
        check_automation(source, file.automation, parts, timezones())
    locked = read_types_lock(lock_path(source.path)).types
    timezone = file.timezone if file is not None and file.timezone in timezones() else "UTC"
    check_types(source, parts, locked, timezone)
    source.raise_faults()
    assert file is not None  # noqa: S101 - faults were raised
    parts["pipelines"] = needed_only(parts["pipelines"])
    folder = Source(folder=file.domain)
    parts["datasets"] = {
        name: dataset if dataset.source else dataset.model_copy(update={"source": folder})
        for name, dataset in parts["datasets"].items()
    }
    domain = Domain(
        name=file.domain,
        label=file.label,
        owners=list(file.owners),
        timezone=file.timezone,
        first_day=file.first_day,
        description=file.description,
        automation=file.automation,
        locked_types={name: dict(columns) for name, columns in locked.items()},
        file=source.name,
        **parts,
    )
    bound = {
        name: one.with_calendar(partitioning_of(domain, f"transform/{name}")) for name, one in domain.pipelines.items()
    }
    return domain.model_copy(update={"pipelines": bound})


def check_version(source: YamlSource) -> None:
    """Another version of the format is refused before its fields are called unknown."""
    version = source.data.get("spice")
    if version is not None and version != FORMAT:
        advice = (
            "this program is older than the file; upgrade it"
            if isinstance(version, int) and version > FORMAT
            else "write 1"
        )
        source.fault(("spice",), f"version {version!r} of the format is not known: {advice}.", [str(FORMAT)])
        source.raise_faults()


def fill_defaults(sections: dict[str, Any], source: YamlSource) -> None:
    """Apply `dataset_defaults` and `link_defaults`, with their places."""
    datasets = sections.get("datasets")
    targets: dict[FieldPath, Any] = {}
    for name, dataset in datasets.items() if isinstance(datasets, dict) else ():
        targets["datasets", name] = dataset
    fill("dataset_defaults", DATASET_DEFAULTS, targets, source)
    targets = {}
    types = sections.get("object_types")
    for type_name, object_type in types.items() if isinstance(types, dict) else ():
        links = object_type.get("links") if isinstance(object_type, dict) else None
        for name, link in links.items() if isinstance(links, dict) else ():
            targets["object_types", type_name, "links", name] = link
    fill("link_defaults", LINK_DEFAULTS, targets, source)


def fill(section: str, allowed: tuple[str, ...], targets: dict[FieldPath, Any], source: YamlSource) -> None:
    """Give every target (by its path) the defaults that it does not have itself."""
    defaults = source.data.get(section)
    for name, value in defaults.items() if isinstance(defaults, dict) else ():
        if name not in allowed:
            source.fault(
                (section, name), f"there is no field '{name}' here.{suggestion(name, allowed)}", allowed, key=True
            )
            continue
        for at, target in targets.items():
            if isinstance(target, dict) and name not in target:
                target[name] = value
                source.copy_default((section, name), (*at, name))


def read_section(raw: Any, section: str, source: YamlSource) -> dict[str, Any]:
    """The valid parts of one section; a part with a fault is left out (and known to be there by the file's data)."""
    parts: dict[str, Any] = {}
    for name, value in raw.items() if isinstance(raw, dict) else ():
        at = (section, name)
        part = validate(SECTIONS[section], prepared(section, name, value, source), source, at)
        if part is not None:
            parts[name] = part
    return parts


def read_outputs(pipelines: dict[str, Pipeline], source: YamlSource) -> dict[str, Pipeline]:
    """Pipelines with one result each; those that one with several stands for have its places in the file."""
    found: dict[str, Pipeline] = {}
    for name, pipeline in pipelines.items():
        for single, one in single_outputs(name, pipeline).items():
            found[single] = one
            if single == name:
                continue
            at: FieldPath = ("pipelines", single)
            declared: FieldPath = ("pipelines", name, "outputs", single.partition("/")[2])
            source.copy_default(("pipelines", name), at)
            source.copy_default((*declared, "node"), (*at, "output"))
            for field in ("contract", "expectations", "write", "incremental"):
                source.copy_default((*declared, field), (*at, field))
    return found


def read_udfs(declared: dict[str, Udf], source: YamlSource) -> dict[str, UdfCode]:
    """The functions beside the file, with their code; each is what the lock says of its version."""
    locked = read_udf_lock(source.path.parent / UDF_LOCK) if declared else {}
    udfs: dict[str, UdfCode] = {}
    for name, udf in declared.items():
        found = load_udf(name, udf, source.path, shown=source.name)
        if found.udf is None:
            source.fault(("udfs", name), found.fault or "", key=True)
            continue
        udfs[name] = found.udf
        fault = lock_fault(found.udf, locked, source.path)
        if fault is not None:
            source.fault(("udfs", name, "version"), fault)
    return udfs


def prepared(section: str, name: str, value: Any, source: YamlSource) -> Any:
    """Short forms written out: a property given by its type alone; the name of an object type."""
    if section == "object_types" and name in OWN_TYPES:
        source.fault(
            (section, name), f"{name} is what the log calls entries of its own; choose another name.", key=True
        )
    if section != "object_types" or not isinstance(value, dict):
        return value
    if "name" in value:
        allowed = [field for field in field_names(ObjectType) if field != "name"]
        source.fault(
            (section, name, "name"), "there is no field 'name' here: the type's name is its key.", allowed, key=True
        )
    value = {**value, "name": name}
    properties = value.get("properties")
    if isinstance(properties, dict):
        value["properties"] = {
            key: {"type": item} if isinstance(item, str) else item for key, item in properties.items()
        }
    return value
