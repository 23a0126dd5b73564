"""Several domains in one location."""

from pathlib import Path

import pytest

from ontology_assets.model.layout import check_together
from ontology_assets.model.loading import load_domain
from resources.errors import SpiceError

BAKERY = load_domain(Path(__file__).parents[2] / "domains" / "bakery")


def test_two_domains_with_a_dataset_of_one_name_are_refused_with_both_names() -> None:
    other = BAKERY.model_copy(update={"name": "market"})
    with pytest.raises(SpiceError, match="bakery and market both make the asset raw/sales"):
        check_together([BAKERY, other])


def test_one_domain_is_at_peace_with_itself() -> None:
    check_together([BAKERY])
