"""How a benchmark tells a figure: one JSON line `{name, ours, bare, ratio, want, machine}` on stdout.

`bare` is the bare tool's figure of the same run on the same machine, or a limit; `ratio` is how many times as good ours
is, and `want` the least that it must be. `null` where there is nothing to compare with, or nothing is promised.
"""

import json
import math
import os
import platform
import sys
from dataclasses import asdict, dataclass, fields

SCALE = float(os.environ.get("SPICE_BENCH_SCALE", "1"))
"""The part of the full size that is run: 0.01 in `make test`, where no ratio is judged."""
MACHINE = (
    f"{sys.platform} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    + ("" if SCALE == 1 else f", at {SCALE:g} of the size")
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One line. A figure with a `want` has a ratio."""

    name: str
    ours: float
    bare: float | None
    ratio: float | None
    want: float | None
    machine: str

    @property
    def missed(self) -> bool:
        return self.want is not None and (self.ratio is None or self.ratio < self.want)

    def line(self) -> str:
        return json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()})

    @classmethod
    def parse(cls, line: str) -> "Figure":
        """Raises ValueError for a line that is none."""
        found = json.loads(line)
        if not isinstance(found, dict) or list(found) != [field.name for field in fields(cls)]:
            raise ValueError(f"no figure, which has the fields {', '.join(f.name for f in fields(cls))}: {line}")
        numbers = [found[name] for name in ("ours", "bare", "ratio", "want") if found[name] is not None]
        sound = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
        if not sound or found["ours"] is None or (found["want"] is not None and found["ratio"] is None):
            raise ValueError(f"a figure has finite numbers, and a ratio where it has a want: {line}")
        return cls(**found)


def figure(
    name: str, ours: float, bare: float | None = None, want: float | None = None, *, lower_is_better: bool = False
) -> None:
    """Print a figure. `ours` and `bare` are rates, or times and sizes, where `lower_is_better`."""
    ratio = None if bare is None else bare / ours if lower_is_better else ours / bare
    print(Figure(name, ours, bare, ratio, want, MACHINE).line(), flush=True)


def at_most(name: str, ours: float, limit: float) -> None:
    """Print a figure that has an absolute limit."""
    figure(name, ours, limit, 1.0, lower_is_better=True)
