"""Bugs planted into the rebuild of a read model, its swap and the repair."""

from tests.simulator.mutant import Mutant

_SWAP = "ontology_assets.projections.rebuild.swap:"

OF_THE_REBUILD = (
    Mutant(
        "caught up but an event missing, at a swap",
        _SWAP + "_catch_up",
        "for sink in sinks:",
        "for sink in ():",
    ),
    Mutant(
        "promoted before the swap",
        _SWAP + "swap",
        "_move(place, former, rebuild.generation, sinks, near=sinks)",
        """closed = _close(place, rebuild)
_move(place, former, rebuild.generation, sinks, near=sinks)
return replace(closed, comparisons=comparisons)""",
    ),
    Mutant("swap while green is behind blue", _SWAP + "_move", "_catch_up(place, near)", "pass"),
    Mutant(
        "the follower of the generation that was asked writes on to the new one, unclaimed",
        _SWAP + "_move",
        "_take_from_all(place, sinks)",
        "pass",
    ),
    Mutant(
        "zero rows restored and success reported",
        "ontology_assets.projections.comparison:log_content",
        "yield fold_whole(batch, layout, words_of)",
        "yield from ()",
    ),
    Mutant(
        "repair refused by the guard and reported done",
        "ontology_assets.projections.repair:_repair",
        "if not before.different:",
        "if True:",
    ),
)
