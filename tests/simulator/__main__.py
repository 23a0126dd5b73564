"""`python -m tests.simulator --seeds 2000 [--first 0] [--processes 2]`: many seeds, each failure, what was covered.

`--hunt` looks for the first seed from 0 up that catches each planted bug and remembers it in caught.json.
"""

import argparse
import sys
import time

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()

from tests.simulator.campaign import campaign, hunt, lines, planted, remember  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--hunt", nargs="*", metavar="WORD", help="planted bugs whose name has one of the words; all")
    given = parser.parse_args()
    if given.hunt is not None:
        names = [name for name in planted() if not given.hunt or any(word in name for word in given.hunt)]
        caught = []
        for one in hunt(names, given.seeds, given.processes):
            print(f"seed {one.seed!s:>5}  {one.mutant:66.66} {one.by[:90]}", flush=True)
            caught.append(one)
            remember(caught)
        return 1 if any(one.seed is None for one in caught) else 0
    began = time.monotonic()
    found = campaign(range(given.first, given.first + given.seeds), given.processes, say=print)
    print("\n".join(lines(found)))
    print(f"{given.seeds} seeds in {time.monotonic() - began:.0f} s, {len(found.failures)} failed")
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
