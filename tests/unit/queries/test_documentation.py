"""Each question in docs/queries.md is one that the product takes."""

import json
import re

import pytest

from ontology_assets.model.loading import load_domain
from ontology_assets.queries.catalogue import Catalogue
from ontology_assets.queries.graph_document import read_graph
from ontology_assets.queries.search import read_search
from resources.home import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "docs/queries.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json (search|graph)\n(.*?)```", TEXT, re.DOTALL)
READERS = {"search": read_search, "graph": read_graph}


@pytest.mark.parametrize(("kind", "document"), EXAMPLES)
def test_a_question_of_the_documentation_is_taken(kind: str, document: str) -> None:
    catalogue = Catalogue([load_domain(PROJECT_ROOT / "orchestration/defs/nyc_flights")])
    READERS[kind](json.loads(document), catalogue)


def test_there_are_examples_of_both() -> None:
    assert {kind for kind, _ in EXAMPLES} == set(READERS)
