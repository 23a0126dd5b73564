"""Bugs planted into the rebuild of a read model, its swap and the repair."""

from tests.simulator.mutant import Mutant

_SWAP = "ontology_assets.projections.rebuild.swap:swap"
_ALIAS = "ontology_assets.projections.rebuild.alias:"

OF_THE_REBUILD = (
    Mutant(
        "caught up but an event missing, at a swap",
        _ALIAS + "catch_up_all",
        "for sink in sinks:",
        "for sink in ():",
    ),
    Mutant(
        "promoted before the swap",
        _SWAP,
        "move(place, rebuild.generation, sinks, near=sinks)",
        """until = close(place, rebuild)
move(place, rebuild.generation, sinks, near=sinks)
return Swapped(rebuild.id, rebuild.generation, former, until, comparisons)""",
    ),
    Mutant("swap while green is behind blue", _ALIAS + "move", "catch_up_all(place, near)", "pass"),
    Mutant(
        "the follower of the generation that was asked writes on to the new one, unclaimed",
        _ALIAS + "move",
        "_take_from_all(place, sinks)",
        "pass",
    ),
    Mutant(
        "zero rows restored and success reported",
        "ontology_assets.projections.comparison:log_content",
        "yield fold_whole(batch, layout, words_of, values=values)",
        "yield from ()",
    ),
    Mutant(
        "repair refused by the guard and reported done",
        "ontology_assets.projections.repair:_repair",
        "if not before.different:",
        "if True:",
    ),
)
