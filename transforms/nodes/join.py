"""`join`: columns of another node or input beside each row that has equal values in `on`.

A missing value equals nothing. Where both sides are of the partitioned input, rows of one partition meet those of the
same partition only.
"""

from resources.errors import SpiceError
from transforms.definitions import Node
from transforms.nodes.frame import Frame, Step, reference


def apply(node: Node, left: Frame, right: Frame, step: Step) -> Frame:
    on, how = node.on or [], node.how or "inner"
    if right.partitioned and not left.partitioned:
        raise SpiceError(
            "Join turned round",
            f"'{node.source}' has no partitions and '{node.join}' has; write `from: {node.join}` and "
            f"`join: {node.source}`.",
            where=step.where,
        )
    keep = node.keep if node.keep is not None else {name: name for name in right.columns if name not in on}
    both = [*on, *(left.carried if right.partitioned else [])]
    # The joined side's keys get names of their own: `on` by name would move the keys to the front.
    other = right.data.select(
        *(reference(name).alias(f"_on_{ordinal}") for ordinal, name in enumerate(both)),
        *(reference(name).alias(f"_keep_{ordinal}") for ordinal, name in enumerate(keep)),
    )
    condition = reference(both[0]) == reference("_on_0")
    for ordinal, name in enumerate(both[1:], 1):
        condition = condition & (reference(name) == reference(f"_on_{ordinal}"))
    joined = left.data.join(other, condition, how)
    kept = [reference(f"_keep_{ordinal}").alias(name) for ordinal, name in enumerate(keep.values())]
    types = {
        name: f"{right.columns[column].removesuffix('?')}?" if how == "left" else right.columns[column]
        for column, name in keep.items()
    }
    own = [reference(name) for name in left.columns]
    carried = [reference(name) for name in left.carried]
    return Frame(joined.select(*own, *kept, *carried), {**left.columns, **types}, left.partitioned)
