"""The domains of this project, as the command line and the API see them: the files below `orchestration/defs/`."""

from functools import cache
from pathlib import Path

from ontology_assets.model.definitions import Domain
from ontology_assets.model.layout import check_together
from ontology_assets.model.loading import load_domain
from resources.errors import SpiceError
from resources.home import PROJECT_ROOT

DEFS = PROJECT_ROOT / "orchestration" / "defs"


@cache
def domain_folders() -> dict[str, Path]:
    """Folder by domain name, for every folder with a domain file."""
    return {load_domain(file.parent).name: file.parent for file in sorted(DEFS.glob("*/domain.yaml"))}


def domains() -> list[Domain]:
    """All of them. Raises SpiceError where two make assets of the same name."""
    found = [load_domain(folder) for folder in domain_folders().values()]
    check_together(found)
    return found


def the_domain(name: str | None) -> Domain:
    """The domain asked for; the only one where none is named."""
    names = sorted(domain_folders())
    if name is None and len(names) == 1:
        name = names[0]
    if name is None:
        raise SpiceError("Which domain?", "There are several; name one with --domain.", allowed=names)
    if name not in names:
        raise SpiceError("Unknown domain", f"There is no domain {name!r}.", where="--domain", allowed=names)
    return load_domain(domain_folders()[name])


def domain_of_type(type_name: str, domain: str | None) -> Domain:
    """The domain that holds an object type."""
    if domain is not None:
        return the_domain(domain)
    holders = [candidate for candidate in domains() if type_name in candidate.object_types]
    if len(holders) == 1:
        return holders[0]
    if holders:
        raise SpiceError(
            "Which domain?", f"{type_name} is in several; name one with --domain.", allowed=[d.name for d in holders]
        )
    known = sorted({name for candidate in domains() for name in candidate.object_types})
    raise SpiceError("Unknown object type", f"There is no object type {type_name!r}.", where="type", allowed=known)
