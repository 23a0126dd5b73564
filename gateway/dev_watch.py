"""The process that outlives a killed supervisor: `python -m gateway.dev_watch ID`, its stdin a pipe of the supervisor.

kill -9 leaves the supervisor no time to stop its children. The system closes the pipe then, and this ends them. A byte
on the pipe means that the supervisor has done it itself.
"""

import os
import signal
import sys

from gateway.dev_processes import end_family

GRACE_SECONDS = 8.0


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not os.read(sys.stdin.fileno(), 1):
        end_family(sys.argv[1], GRACE_SECONDS)


if __name__ == "__main__":
    main()
