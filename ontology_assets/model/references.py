"""What the parts of a domain file mean together: every name that one part uses of another exists and fits."""

from typing import Any

from transforms.yaml_source import YamlSource


def check_references(source: YamlSource, parts: dict[str, dict[str, Any]]) -> None:
    """Note the faults between parts. Parts that are faulty themselves are not there; what names them is let pass."""
