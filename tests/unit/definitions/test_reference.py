"""docs/definitions.md says what the models say, of every field."""

import re

import pytest

from ontology_assets.model.loading import load_domain
from ontology_assets.model.reference import MODELS, fields, refreshed
from resources.home import PROJECT_ROOT
from transforms.functions import FUNCTIONS
from transforms.nodes.table import OPERATIONS
from transforms.validation import HIDDEN

DOCUMENT = PROJECT_ROOT / "docs" / "definitions.md"
OPERATIONS_PAGE = PROJECT_ROOT / "docs" / "transforms.md"


@pytest.mark.parametrize("name", ["definitions.md", "checks.md"])
def test_the_document_is_up_to_date(name):
    text = (DOCUMENT.parent / name).read_text("utf-8")
    assert refreshed(text, PROJECT_ROOT) == text, f"run: python -m ontology_assets.model.reference docs/{name}"


def test_the_page_of_operations_is_up_to_date_and_has_each_with_its_fields():
    text = OPERATIONS_PAGE.read_text("utf-8")
    assert refreshed(text, PROJECT_ROOT) == text, "run: python -m ontology_assets.model.reference docs/transforms.md"
    for name, node in OPERATIONS.items():
        assert f"\n## {name}\n" in text
        assert all(info.description for info in node.model_fields.values())


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_field_is_described_and_stands_in_the_document(model):
    for name, info in model.model_fields.items():
        assert info.description, f"{model.__name__}.{name}"
    document = DOCUMENT.read_text("utf-8")
    assert fields(model) in document
    shown = [row.split("`")[1] for row in fields(model).splitlines()[2:]]
    names = [
        info.alias or name for name, info in model.model_fields.items() if name not in HIDDEN.get(model.__name__, ())
    ]
    assert shown == names


def test_every_function_stands_in_the_document():
    document = DOCUMENT.read_text("utf-8")
    assert all(f"- `{function.usage}`" in document for function in FUNCTIONS.values())


def test_the_example_of_the_document_loads(tmp_path):
    example = re.search(r"```yaml\n(# A second.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert example is not None
    (tmp_path / "domain.yaml").write_text(example[1], "utf-8")
    assert load_domain(tmp_path).name == "bakery"
