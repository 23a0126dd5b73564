"""What a domain does by itself, as its file declares it: nothing, where it says nothing.

Values and their checks against the rest of the file. How Dagster does it is in `orchestration.automation`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from transforms.definition_base import Definition, Name
from transforms.rule_definitions import Duration, duration
from transforms.yaml_source import FieldPath, YamlSource, suggestion

Layer = Literal["clean", "transform", "ontology", "events"]
CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
PART = re.compile(r"(?:\*|(?P<first>\d{1,2})(?:-(?P<last>\d{1,2}))?)(?:/(?P<step>\d{1,2}))?")


def cron_fault(text: str) -> str | None:
    """What is wrong with a cron expression of five fields; None where nothing is."""
    fields = text.split()
    if len(fields) != len(CRON_FIELDS):
        return f"has {len(fields)} fields; five are needed: minute, hour, day of the month, month, weekday"
    for field, (name, low, high) in zip(fields, CRON_FIELDS, strict=True):
        for part in field.split(","):
            match = PART.fullmatch(part)
            if match is None or match["step"] == "0":
                return f"has '{part}' for the {name}; it takes *, 5, 1-5, */2 and lists of them"
            first, last = int(match["first"] or low), int(match["last"] or match["first"] or high)
            if not low <= first <= last <= high:
                return f"has '{part}' for the {name}, which is {low} to {high}"
    return None


def _cron(text: str) -> str:
    fault = cron_fault(text)
    if fault:
        raise PydanticCustomError("not_a_cron", "'{text}' {fault}", {"text": text, "fault": fault})
    return text


Cron = Annotated[str, AfterValidator(_cron)]


class Schedule(Definition):
    """A run of the domain's job at fixed times."""

    cron: Cron = Field(description="Minute, hour, day of the month, month, weekday: `30 2 * * *` is each day at 2:30.")
    timezone: str | None = Field(default=None, description="IANA time zone of `cron`; default: the domain's.")
    newest: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Only so many partitions, the newest that have begun by then; default: all partitions.",
    )
    description: str | None = Field(default=None, description="For people.")


class Freshness(Definition):
    """How old an asset's newest materialization may get before Dagster shows it as overdue. Starts no run."""

    within: Duration = Field(description="Highest age: a number and `m`, `h` or `d`; at least 1m.")
    warn: Duration | None = Field(default=None, description="Age from which it is warned of; below `within`.")
    by: Cron | None = Field(
        default=None,
        description="A deadline, as cron: at that time the newest materialization may be at most `within` old.",
    )
    timezone: str | None = Field(default=None, description="IANA time zone of `by`; default: the domain's.")


class Automation(Definition):
    """What starts by itself under `spice dev`, and what is watched."""

    arrivals: list[Name] = Field(
        default_factory=list,
        description="Datasets whose file is looked at each 30 seconds: a new or changed one is ingested into "
        "`raw/<dataset>`, once.",
    )
    follow: list[Layer] = Field(
        default_factory=list,
        description="Layers whose assets are brought up to date when what they read has changed and its blocking "
        "checks have passed.",
    )
    schedules: dict[Name, Schedule] = Field(default_factory=dict, description="Runs of the domain's job, by name.")
    freshness: dict[str, Freshness] = Field(
        default_factory=dict,
        description="Asset (`clean/<dataset>`, `ontology/<type>/objects`, ...) -> how old it may get.",
    )


def check_automation(
    source: YamlSource, automation: Automation, parts: Mapping[str, Mapping[str, Any]], zones: frozenset[str]
) -> None:
    """Note the names that do not exist and what does not go together. `parts`: the file's sections, validated."""
    datasets = list(parts["datasets"])
    assets = [f"{layer}/{name}" for name in datasets for layer in ("raw", "clean")]
    assets += [f"transform/{name}" for name in parts["pipelines"]]
    assets += [f"ontology/{one.snake}/objects" for one in parts["object_types"].values()]
    assets += [f"ontology/{one.snake}/links" for one in parts["object_types"].values() if one.links]
    for index, name in enumerate(automation.arrivals):
        if name not in datasets:
            at: FieldPath = ("automation", "arrivals", index)
            source.fault(at, f"there is no dataset '{name}'.{suggestion(name, datasets)}", datasets)
    for name, schedule in automation.schedules.items():
        _check_zone(source, ("automation", "schedules", name, "timezone"), schedule.timezone, zones)
    for asset, freshness in automation.freshness.items():
        at = ("automation", "freshness", asset)
        if asset not in assets:
            source.fault(at, f"there is no asset '{asset}'.{suggestion(asset, assets)}", assets, key=True)
        _check_zone(source, (*at, "timezone"), freshness.timezone, zones)
        if freshness.by is not None and freshness.warn is not None:
            source.fault((*at, "warn"), "a deadline has no warning; leave out `warn` or `by`.")
        if freshness.warn is not None and duration(freshness.warn) >= duration(freshness.within):
            source.fault((*at, "warn"), f"a warning at {freshness.warn} comes after `within` ({freshness.within}).")
        if freshness.by is None and freshness.timezone is not None:
            source.fault((*at, "timezone"), "only a deadline (`by`) has a time zone.")


def _check_zone(source: YamlSource, at: FieldPath, zone: str | None, zones: frozenset[str]) -> None:
    if zone is not None and zone not in zones:
        source.fault(at, f"there is no time zone '{zone}'.{suggestion(zone, zones)}")
