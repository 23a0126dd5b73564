"""The types that queries may name, over all domains of a home."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ontology_assets.model.definitions import Domain, ObjectType
from ontology_assets.projections.layouts import domain_layout
from ontology_assets.queries.refusal import NotFound, QueryRefused, shown
from resources.errors import SpiceError
from resources.read_model.query import DomainLayout, LinkField, TypeLayout


@dataclass(frozen=True)
class KnownType:
    """One type with its domain. `inverses`: the links of other types that lead here, by inverse name."""

    domain: DomainLayout
    object_type: ObjectType
    layout: TypeLayout
    inverses: dict[str, tuple[TypeLayout, LinkField]]

    @property
    def name(self) -> str:
        return self.layout.name


class Catalogue:
    """Types by name. A name may stand in one domain only, because ids and addresses do not name the domain."""

    def __init__(self, domains: Sequence[Domain]) -> None:
        self.layouts = [domain_layout(domain) for domain in sorted(domains, key=lambda d: d.name)]
        by_domain = {domain.name: domain for domain in domains}
        self.types: dict[str, KnownType] = {}
        for layout in self.layouts:
            for type_layout in layout.types:
                other = self.types.get(type_layout.name)
                if other is not None:
                    raise SpiceError(
                        "Type defined twice",
                        f"type {type_layout.name} is in the domains {other.domain.domain} and {layout.domain}; "
                        "rename one of them",
                        where=f"{layout.domain}: object_types.{type_layout.name}",
                    )
                inverses = {
                    link.inverse: (source, link)
                    for source in layout.types
                    for link in source.links
                    if link.target == type_layout.name
                }
                object_type = by_domain[layout.domain].object_types[type_layout.name]
                self.types[type_layout.name] = KnownType(layout, object_type, type_layout, inverses)

    def named(self, name: Any, where: str) -> KnownType:
        """A type named in a query document."""
        known = self.types.get(name) if isinstance(name, str) else None
        if known is None:
            raise QueryRefused(f"there is no type {shown(name)}", where=where, allowed=sorted(self.types))
        return known

    def addressed(self, name: str) -> KnownType:
        """A type named in an address: one that is not there is not found."""
        known = self.types.get(name)
        if known is None:
            raise NotFound(f"there is no type {shown(name)}", where="type", allowed=sorted(self.types))
        return known
