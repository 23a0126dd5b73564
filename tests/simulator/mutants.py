"""The planted bugs. A simulator that finds no planted bug proves nothing."""

from tests.simulator.mutants_followers import OF_FOLLOWERS
from tests.simulator.mutants_log import OF_THE_LOG
from tests.simulator.mutants_rebuild import OF_THE_REBUILD

MUTANTS = (*OF_THE_LOG, *OF_FOLLOWERS, *OF_THE_REBUILD)

ASKED_FOR = (
    "an acknowledged event that no index knows",
    "a tail by wall clock",
    "check-then-act append",
    "an unfenced checkpoint",
    "caught up but an event missing",
    "promoted before the swap",
    "lost publish only counted",
    "skipped on restart",
    "zero rows restored and success reported",
    "already done read from a counter",
    "an exception read as a conflict",
    "retry at n+2 while n+1 is unsettled",
    "decision on one state, commit on another",
    "an empty record is skipped",
    "a seal drops a commit that landed meanwhile",
    "swap while green is behind blue",
    "XOR digest",
    "repair refused by the guard and reported done",
    "poison passed, later events of its aggregate applied",
    "deletes what another partition owns",
    "position and effect in two transactions",
    "control: dedup off",
    "control: fence off",
    "control: the store ignores the condition (compare-and-set off)",
)
"""In the words of issue 5; each is the name of one that is planted, or a part of it."""
