"""Files in a folder become a draft and a loaded domain, without a home and without other domains."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway import init_domain
from gateway.init_domain import FirstDefinition, first_definition
from gateway.init_files import GivenFile, given_files
from ontology_assets.drafting.draft import DraftedType
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain


class Drafted:
    """What `spice init` makes of these files (name -> text)."""

    def __init__(
        self, folder: Path, files: Mapping[str, str], domain: str = "shop", others: list[Domain] | None = None
    ):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(init_domain, "domains", lambda: others or [])
            self.given: list[GivenFile] = given_files([folder / name for name in files])
            self.definition: FirstDefinition = first_definition(domain, self.given, lambda *_: None)
        self.text = self.definition.files["domain.yaml"]
        made = folder / "definition"
        made.mkdir(exist_ok=True)
        for name, text in self.definition.files.items():
            (made / name).write_text(text, "utf-8")
        self.domain = load_domain(made)

    def type(self, name: str) -> DraftedType:
        return next(one for one in self.definition.draft.types if one.table.type_name == name)

    def key(self, name: str) -> list[str]:
        return self.domain.object_types[name].key

    def links(self, name: str) -> dict[str, tuple[list[str], str, str, str]]:
        links = self.domain.object_types[name].links
        return {key: (one.by, one.to, one.inverse, one.cardinality) for key, one in links.items()}


def csv(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"
