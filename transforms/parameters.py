"""Parameters of a pipeline: typed values that its expressions name as `:name`, and that a run may bring.

A value is bound, never spliced: an expression is parsed and typed before it is known, and it goes to the engine as a
constant of its type. What a pipeline makes of its inputs depends on it, so it is part of the code version.
"""

from collections.abc import Mapping, Sequence

from resources.errors import SpiceError
from transforms.definitions import Pipeline
from transforms.literals import WrongValue, read_value
from transforms.nodes.udf import CallUdf
from transforms.yaml_source import suggestion


def with_values(name: str, pipeline: Pipeline, given: Mapping[str, object]) -> Pipeline:
    """The pipeline `name` with other values of some parameters: as themselves (JSON) or as text. Raises SpiceError."""
    bound = dict(pipeline.parameters)
    for key, value in given.items():
        where = f"pipelines.{name}.parameters.{key}"
        if key not in bound:
            hint = suggestion(key, bound)
            detail = f"the pipeline '{name}' has no parameter '{key}'.{hint}" if bound else f"'{name}' has none."
            raise SpiceError("Unknown parameter", detail, where=where, allowed=list(bound))
        try:
            canonical = read_value(bound[key].parsed, value)
        except WrongValue as error:
            raise SpiceError("Wrong value", f"{error}.", where=where, allowed=[bound[key].type]) from error
        bound[key] = bound[key].model_copy(update={"default": canonical})
    return pipeline.model_copy(update={"parameters": bound})


def assignments(texts: Sequence[str]) -> dict[str, str | None]:
    """What a command line says: `name=value` (the value as it stands, whatever it holds), or `name` alone for null."""
    found: dict[str, str | None] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if key in found:
            raise SpiceError("Parameter given twice", f"'{key}' has two values; give one.", where=f"parameter {key}")
        found[key] = value if equals else None
    return found


def bound_parts(pipeline: Pipeline) -> dict[str, object]:
    """What beside its nodes decides what a pipeline makes: values of parameters, code of functions. Nothing where it
    has neither, so that the versions of such pipelines stay what they were."""
    parts: dict[str, object] = {}
    if pipeline.parameters:
        parts["parameters"] = {
            name: [one.type, read_value(one.parsed, one.default)] for name, one in sorted(pipeline.parameters.items())
        }
    called = sorted({node.udf for node in pipeline.nodes.values() if isinstance(node, CallUdf)})
    if called:
        parts["udfs"] = [pipeline.udfs[name].identity for name in called]
    return parts
