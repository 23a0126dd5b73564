"""A pipeline's graph: all names exist and are given once, nothing goes round in a circle. What each node is, its model
says."""

from transforms.definitions import Pipeline
from transforms.schemas import nodes_in_order
from transforms.yaml_source import FieldPath, YamlSource, suggestion


def check_pipeline(source: YamlSource, at: FieldPath, pipeline: Pipeline) -> None:
    """Note what is wrong with the graph of one pipeline."""
    if pipeline.partition is not None and pipeline.partition not in pipeline.inputs:
        _unknown(source, (*at, "partition"), "input", pipeline.partition, list(pipeline.inputs))
    given = _given(source, at, pipeline)
    if pipeline.output not in given:
        _unknown(source, (*at, "output"), "node", pipeline.output, given)
    names = [*pipeline.inputs, *given]
    for name, node in pipeline.nodes.items():
        for path, read in node.reads():
            if read not in names:
                _unknown(source, (*at, "nodes", name, *path), "node or input", read, names)
    circle = set(given) - set(nodes_in_order(pipeline))
    for name in sorted(circle & pipeline.nodes.keys()):
        source.fault((*at, "nodes", name, "from"), f"nodes go round in a circle: {', '.join(sorted(circle))}.")


def _given(source: YamlSource, at: FieldPath, pipeline: Pipeline) -> list[str]:
    """The names that nodes give, each once."""
    found: list[str] = []
    for name, node in pipeline.nodes.items():
        here: FieldPath = (*at, "nodes", name)
        for given in node.named(name):
            if given in pipeline.inputs:
                source.fault(here, f"'{given}' is an input already; a node needs a name of its own.", key=True)
            elif given != name and (given in pipeline.nodes or given in found):
                source.fault(here, f"'{given}' is a node already; give the other rows a name of their own.", key=True)
            found.append(given)
    return found


def _unknown(source: YamlSource, at: FieldPath, kind: str, name: str, allowed: list[str]) -> None:
    source.fault(at, f"there is no {kind} '{name}'.{suggestion(name, allowed)}", allowed)
