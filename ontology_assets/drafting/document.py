"""A draft as the text of a `domain.yaml` that people read and edit: every choice with what was measured beside it."""

from collections.abc import Callable

from ontology_assets.drafting.dataset_text import dataset_text
from ontology_assets.drafting.draft import Draft, DraftedType
from ontology_assets.drafting.names import label_of
from ontology_assets.drafting.type_text import mapping_text, object_type_text
from ontology_assets.drafting.yaml_text import label, scalar

HEAD = """\
# The first definition of this domain, drafted by `spice init` from the files below. It is yours: edit it.
# docs/definitions.md describes every field, docs/tutorial.md shows edits. After a change: `spice defs check`, then
# `spice run --domain {domain}`.
# Labels may be given in any language beside `en`, for example {{en: Book, ko: 책}}.
spice: 1
domain: {name}
label: {label}
# owners: ["team:yours"]
timezone: UTC  # of dates, and of times without a zone; for example Europe/Paris, Asia/Seoul

# A file becomes raw/<name> (texts as they came) and clean/<name> (typed, by types.lock).
datasets:
{datasets}

# What things are. No column of a file is named here.
{types}

# Where the objects come from. A property not named in `set` takes the column of its own name.
{mappings}
"""


def domain_document(draft: Draft) -> str:
    """The text of `domain.yaml`."""
    datasets = [line for one in draft.types for line in dataset_text(one, draft.ragged.get(one.table.dataset, (0, 0)))]
    return HEAD.format(
        domain=draft.domain,
        name=scalar(draft.domain),
        label=label(label_of(draft.domain)),
        datasets="\n".join(datasets),
        types=_section(draft, "object_types", object_type_text),
        mappings=_section(draft, "mappings", mapping_text),
    )


def locked_types(draft: Draft) -> dict[str, dict[str, str]]:
    """Types by dataset and column, as `types.lock` keeps them."""
    return {one.table.dataset: one.table.profile.types for one in draft.types}


def _section(draft: Draft, name: str, write: Callable[[DraftedType], list[str]]) -> str:
    """A section of the types that have a key, then, commented out, of those that have none yet."""
    whole = [line for one in draft.types if one.key.columns for line in write(one)]
    waiting = [line for one in draft.types if not one.key.columns for line in write(one)]
    heading = f"{name}:" if whole else f"# {name}:"
    return "\n".join([heading, *whole, *(f"# {line}" for line in waiting)])
