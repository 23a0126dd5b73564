"""A pipeline with the parameters that its run brings, for steps of the run that are not the pipeline's own."""

from typing import Any

import dagster as dg

from ontology_assets.model.definitions import Domain
from orchestration.components.common import key_of
from transforms.definitions import Pipeline
from transforms.parameters import with_values


def pipeline_of_run(context: dg.AssetCheckExecutionContext, domain: Domain, name: str) -> Pipeline:
    """A check that counts rows of a node counts those that the run computed, not those of the declared values."""
    op = key_of(f"transform/{name}").to_python_identifier()
    brought: Any = context.run.run_config  # its shape is Dagster's; what is brought was checked when the run began
    config = brought.get("ops", {}).get(op, {}).get("config", {})
    return with_values(name, domain.pipelines[name], config.get("parameters") or {})
