"""`python -m orchestration JOB --home DIR`: one run of a job in this process (orchestration/launch.py)."""

import signal
import sys

if __name__ == "__main__":
    # Ctrl-C ends this without a word while it loads; while the run is on, Dagster takes the signal and ends the run.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from orchestration.launch import main

if __name__ == "__main__":
    sys.exit(main())
