"""The entries of an object type and of its mapping in a drafted `domain.yaml`."""

from ontology_assets.drafting.dataset_text import moment_of
from ontology_assets.drafting.draft import DraftedLink, DraftedType
from ontology_assets.drafting.keys import MOST_IN_PAIRS
from ontology_assets.drafting.links import FoundLink
from ontology_assets.drafting.names import label_of
from ontology_assets.drafting.yaml_text import label, listed, remark, scalar

MOST_OTHERS = 5
MOST_REMARKS = 3


def object_type_text(one: DraftedType) -> list[str]:
    """What the things are; the key is `?` where none was found."""
    names, table = one.table.names, one.table
    lines = [f"  {table.type_name}:"]
    lines += [line for text in _why_key(one) for line in remark(4, text)]
    lines.append(f"    key: {listed(names[column] for column in one.key.columns) if one.key.columns else '[?]'}")
    lines.append(f"    title: {scalar(names[one.title])}")
    korean = label_of(table.stem)
    lines.append(f"    label: {label(korean if 'ko' in korean else label_of(table.noun))}")
    lines.append("    properties:")
    for column in table.profile.columns:
        search = ", search: text" if column in one.search else ""
        kind = one.property_type(column)
        lines.append(f"      {names[column]}: {{type: {kind}{search}, label: {label(label_of(column))}}}")
    lines += ["    links:"] if one.links else []
    lines += [line for link in one.links for line in _link(link)]
    for target, found in one.remarks[:MOST_REMARKS]:
        lines += remark(4, f"A link to {target}? {_measured(found, [names[c] for c in found.columns], target)}")
    return lines


def mapping_text(one: DraftedType) -> list[str]:
    """Where the objects come from."""
    names, table, moment = one.table.names, one.table, moment_of(one)
    renamed = {names[column]: f"`{column}`" for column in table.profile.columns if names[column] != column}
    if not renamed and moment is None:
        return [f"  {table.type_name}: {{from: clean/{table.dataset}}}"]
    lines = [f"  {table.type_name}:", f"    from: clean/{table.dataset}"]
    if moment is not None:
        lines += remark(4, "When a change happened; without it, when it was recorded:")
        lines.append(f"    # occurred_at: {scalar(f'timestamp(`{moment.name}`)')}")
    lines += ["    set:"] if renamed else []
    lines += [f"      {name}: {scalar(expression)}" for name, expression in renamed.items()]
    return lines


def _why_key(one: DraftedType) -> list[str]:
    key, profile, names = one.key, one.table.profile, one.table.names
    if not key.columns:
        columns = sorted(profile.columns.values(), key=lambda column: -column.distinct.count)
        most = ", ".join(f"{names[column.name]} {column.distinct.count:,}" for column in columns[:MOST_OTHERS])
        return [
            f"No key yet: no column, and no pair of the {MOST_IN_PAIRS} likeliest, is different in each of the "
            f"{profile.rows:,} rows and never missing. Different values: {most}.",
            "To make objects of this table, put the key for the `?` (any number of parts; none missing, none of type "
            "double), remove the `# ` that these lines begin with, here and under `mappings`, and check.",
        ]
    what = " and ".join(f"`{names[column]}`" for column in key.columns)
    told = "is" if len(key.columns) == 1 else "together are"
    said = f"Key: {what} {told} different in each of the {profile.rows:,} rows, and never missing."
    if key.checked < 1:
        said += f" Looked at on {key.checked:.1%} of the values; the run looks at all."
    if not key.others:
        return [said]
    others = ["+".join(names[column] for column in other) for other in key.others]
    more = f" and {len(others) - MOST_OTHERS} more" if len(others) > MOST_OTHERS else ""
    return [said, f"Would do as well: {', '.join(others[:MOST_OTHERS])}{more}."]


def _link(link: DraftedLink) -> list[str]:
    return [
        *remark(6, _measured(link.evidence, link.by, link.to)),
        f"      {link.name}:",
        f"        to: {scalar(link.to)}",
        f"        by: {listed(link.by)}",
        f"        inverse: {scalar(link.inverse)}",
        f"        cardinality: {link.cardinality}",
        "        dangling: keep_and_report  # or fail: then a value that is no key there stops the run",
        f"        label: {label(label_of(link.name))}",
        f"        inverse_label: {label(label_of(link.inverse))}",
    ]


def _measured(link: FoundLink, by: list[str], target: str) -> str:
    what = " and ".join(f"`{name}`" for name in by)
    share = f" ({link.share:.1%})" if link.found < link.tried else ""
    count = (
        f"{link.found:,} of the {link.tried:,} different values" if share else f"All {link.tried:,} different values"
    )
    looked = "" if link.exact else " that were looked at"
    return f"{count} of {what}{looked}{share} are keys of {target}."
