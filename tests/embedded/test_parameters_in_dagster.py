"""A run brings values of a pipeline's parameters by its config: for that run, and as part of the data version."""

import shutil

import pytest

from resources.home import Home
from resources.lake.local import LocalLake
from tests.bakery import BAKERY, NAME, RunServer, Workshop, workshop

TABLE = "transform/shop_months"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """The bakery, whose pipeline takes the first of the two products from a parameter."""
    made = workshop(tmp_path_factory.mktemp("bakery") / "project", rules=False)
    file = made.folder / "domain.yaml"
    text = file.read_text("utf-8")
    changed = text.replace("product IN ('bread', 'cake')", "product IN (:first, 'cake')").replace(
        "    inputs: {sales: clean/sales, shops: clean/shops}\n",
        "    inputs: {sales: clean/sales, shops: clean/shops}\n    parameters: {first: {type: string?, default: bread}}\n",
    )
    assert changed.count("first") == 2
    file.write_text(changed, "utf-8")
    return made


def test_a_run_brings_values_and_the_next_one_without_them_goes_back(shop, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(BAKERY / "sources", home / "sources" / NAME)
    lake = LocalLake(Home(home).lake)
    server = RunServer(shop.project, rules=False)

    def run(**parameters: str | None) -> tuple[dict[str, str], int]:
        config = {TABLE: {"parameters": parameters}} if parameters else None
        ran = server.run(home, config=config)
        assert ran.status == 0, ran.failures
        rows = lake.scan(TABLE).to_pylist()
        return lake.versions(TABLE), sum(row["lines_bread"] or 0 for row in rows)

    try:
        declared, bread = run()
        assert bread > 0
        other, none = run(first="O'Neil\n$first :first")
        assert none == 0
        assert all(other[key] != declared[key] for key in declared)
        assert run(first=None)[1] == 0
        assert run() == (declared, bread)
        refused = server.run(home, config={TABLE: {"parameters": {"frist": "x"}}})
        assert refused.status != 0
        assert "has no parameter 'frist'. Did you mean 'first'?" in refused.failures
    finally:
        server.close()
