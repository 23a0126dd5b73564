"""The planted bugs. A simulator that finds no planted bug proves nothing.

Those about swap and repair wait until these are simulated (`WAITING`).
"""

from tests.simulator.mutants_followers import OF_FOLLOWERS
from tests.simulator.mutants_log import OF_THE_LOG

MUTANTS = (*OF_THE_LOG, *OF_FOLLOWERS)

WAITING = {
    "caught up but an event missing, at a swap": "issue 6: the swap is not simulated yet",
    "promoted before the swap": "issue 6: the swap is not simulated yet",
    "swap while green is behind blue": "issue 6: the swap is not simulated yet",
    "repair refused by the guard and reported done": "issue 6: the repair is not simulated yet",
    "zero rows restored and success reported, by a bucket": "issue 6: filling buckets is not simulated yet",
}
"""Asked for, and not to be planted before what they spoil runs in the simulator. Until then a rebuild is a file that
goes, and the followers' own code that fills another one; what is planted into that code is planted into the rebuild."""

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
"""In the words of issue 5: each is the name of one planted here, or of one that waits."""
