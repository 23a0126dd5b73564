"""A process that runs one pipeline of a shop's lake and is killed at a point of it.

`python -m tests.embedded.incremental_process ROOT CASE before|after COMMIT`: SIGKILL right before, or right after, its
commit with this number.
"""

import os
import signal
import sys
from pathlib import Path

from tests.unit.tables.arrivals import Fault, MortalLake, Shop
from tests.unit.tables.test_incremental import CASES


class KilledLake(MortalLake):
    """Dies for good."""

    def die(self, fault: Fault) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def main(root: Path, case: str, moment: str, commit: int) -> None:
    shop = Shop(KilledLake(root), CASES[case].pipeline)
    shop.lake.fault = Fault("before" if moment == "before" else "after", commit)
    shop.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
