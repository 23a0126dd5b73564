"""How the columns of a pipeline's result differ from those of the table that is there, and which differences break
whoever reads it.

A breaking change has a name (`removed:amount`), and is made only by who approves it by that name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from resources.errors import SpiceError
from resources.lake.base import Lake
from transforms.building.built import Built
from transforms.input_tables import table_types


class BreakingChange(SpiceError):
    """The definition changes the table in a way that breaks its readers, and nobody approved it."""

    kind = "urn:spice:breaking-change"


@dataclass(frozen=True)
class SchemaChange:
    """One difference; `name` is what an approval says."""

    name: str
    breaking: bool
    text: str


def schema_changes(lake: Lake, table: str, columns: Mapping[str, str], key: Sequence[str]) -> list[SchemaChange]:
    """What `columns` and `key` change of the table; [] where there is none. Of a table that does not say what was
    declared (made by an earlier version of this program) the types alone are compared."""
    state = lake.state(table)
    if state.number < 0:
        return []
    built = Built.of(state)
    declared = bool(built.columns)
    before = dict(built.columns) or table_types(lake, table)
    found = []
    for name, kind in before.items():
        now = columns.get(name)
        if now is None:
            found.append(SchemaChange(f"removed:{name}", breaking=True, text=f"column {name} ({kind}) is gone"))
        elif now.removesuffix("?") != kind.removesuffix("?"):
            found.append(SchemaChange(f"type:{name}", breaking=True, text=f"column {name} is {now}, it was {kind}"))
        elif declared and now != kind:
            said = "may now be missing" if now.endswith("?") else "may not be missing any more"
            found.append(SchemaChange(f"nullability:{name}", breaking=True, text=f"column {name} {said}"))
    found += [
        SchemaChange(f"added:{name}", breaking=False, text=f"column {name} ({kind}) is new")
        for name, kind in columns.items()
        if name not in before
    ]
    if declared and list(built.key) != list(key):
        was, now = (", ".join(one) or "nothing" for one in (built.key, key))
        found.append(SchemaChange("key", breaking=True, text=f"the key is {now}, it was {was}"))
    return found


def refuse_breaking(where: str, changes: Sequence[SchemaChange], approved: Collection[str]) -> None:
    """Raise BreakingChange for what is not approved by name, SpiceError for an approval of what does not happen."""
    breaking = {one.name: one.text for one in changes if one.breaking}
    stale = sorted(set(approved) - breaking.keys())
    if stale:
        raise SpiceError(
            "Nothing to approve",
            f"{', '.join(stale)} is no breaking change of {where}.",
            where="approve",
            allowed=sorted(breaking),
        )
    refused = {name: text for name, text in breaking.items() if name not in approved}
    if refused:
        said = "; ".join(f"{text} ({name})" for name, text in refused.items())
        flags = " ".join(f"--approve {name}" for name in refused)
        raise BreakingChange(
            "Breaking change",
            f"{said}. Who reads the table would break. Nothing was changed: correct the pipeline, or approve it by "
            f"name: `spice pipeline build NAME --branch B {flags}`, then promote it with the same.",
            where=where,
            allowed=sorted(refused),
            status=409,
        )
