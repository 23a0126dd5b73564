"""A pipeline with several results is as many pipelines with one: `p` with the outputs `a` and `b` is `p/a` and `p/b`.

Each is an asset of its own that reads what it needs and is computed alone (docs/decisions/0015), so whoever runs,
checks, previews or draws pipelines knows only those with one result.
"""

from collections.abc import Mapping

from transforms.definitions import Pipeline
from transforms.schemas import nodes_in_order


def single_outputs(name: str, pipeline: Pipeline) -> dict[str, Pipeline]:
    """The pipelines that it stands for, by name; a pipeline with one result is itself."""
    if not pipeline.outputs:
        return {name: pipeline}
    return {
        f"{name}/{output}": pipeline.model_copy(
            update={
                "output": one.node,
                "outputs": {},
                "contract": one.contract,
                "expectations": one.expectations,
                "write": one.write,
                "incremental": one.incremental,
                "description": one.description or pipeline.description,
            }
        )
        for output, one in pipeline.outputs.items()
    }


def needed_only(pipelines: Mapping[str, Pipeline]) -> dict[str, Pipeline]:
    """Those that are one of several results, with the nodes and inputs that this one is made of; the others as they
    are."""
    return {name: _needed(one) if "/" in name else one for name, one in pipelines.items()}


def _needed(pipeline: Pipeline) -> Pipeline:
    nodes = nodes_in_order(pipeline)
    needed, waiting = set[str](), [pipeline.output]
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting += [read for _, read in nodes[name].reads() if read not in needed] if name in nodes else []
    inputs = {local: table for local, table in pipeline.inputs.items() if local in needed}
    return pipeline.model_copy(
        update={
            "nodes": {name: one for name, one in pipeline.nodes.items() if needed & one.named(name).keys()},
            "inputs": inputs,
            "partition": pipeline.partition if pipeline.partition in inputs else None,
            "look_back": pipeline.look_back if pipeline.partition in inputs else None,
        }
    )
