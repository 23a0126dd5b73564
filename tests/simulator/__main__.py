"""`python -m tests.simulator --seeds 2000 [--first 0] [--processes 2]`: many seeds, a line for each failure, coverage."""

import argparse
import sys
import time

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()

from tests.simulator.campaign import campaign, lines  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    began = time.monotonic()
    found = campaign(range(given.first, given.first + given.seeds), given.processes, say=print)
    print("\n".join(lines(found)))
    print(f"{given.seeds} seeds in {time.monotonic() - began:.0f} s, {len(found.failures)} failed")
    return 1 if found.failures else 0


if __name__ == "__main__":
    sys.exit(main())
