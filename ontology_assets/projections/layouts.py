"""From an ontology to the layout that read models are kept in."""

from ontology_assets.model.definitions import Domain, ObjectType
from resources.read_model.query import DomainLayout, Field, Kind, LinkField, TypeLayout


def domain_layout(domain: Domain) -> DomainLayout:
    return DomainLayout(domain.name, tuple(type_layout(t) for _, t in sorted(domain.object_types.items())))


def type_layout(object_type: ObjectType) -> TypeLayout:
    """Fields and links by name. Text properties with `search: text` are searched by words, and a title that is text."""
    fields = []
    for name, declared in sorted(object_type.properties.items()):
        parsed = declared.parsed
        kind = Kind(parsed.kind)
        searched = kind is Kind.STRING and (declared.search == "text" or name == object_type.title)
        fields.append(Field(name, kind, parsed.precision, parsed.scale, searched, tuple(declared.values or ())))
    links = tuple(LinkField(name, link.to, link.inverse) for name, link in sorted(object_type.links.items()))
    return TypeLayout(object_type.name, tuple(object_type.key), object_type.title, tuple(fields), links)
