"""What a table of a pipeline says of how it was made: kept in the commit that made it, as its metadata.

The data version of a partition is one hash of the definition and the inputs; here the two are apart, so that a plan can
say why a partition is to be computed again, and which columns were promised to whoever reads the table.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resources.lake.base import TableState
from transforms.definitions import Pipeline

BUILT = "built"
"""Name of the metadata."""


@dataclass(frozen=True)
class Built:
    """`columns` (name -> type, `?` = may be missing) and `key` as declared then, {} where that was not known; `codes`:
    partition -> code version; `rows` in and `seconds` of the last computation of partitions."""

    columns: Mapping[str, str] = field(default_factory=dict)
    key: Sequence[str] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    seconds: float = 0.0

    @classmethod
    def made(  # noqa: PLR0917 - what a run knows
        cls,
        state: TableState,
        pipeline: Pipeline,
        columns: Mapping[str, str],
        codes: Mapping[str, str],
        rows: Mapping[str, int],
        begun: float,
    ) -> "Built":
        """Of a computation that is done. `state`: the table's before; `codes`: of the computed partitions; `begun` by
        the monotonic clock."""
        key = pipeline.contract.unique or () if pipeline.contract is not None else ()
        every = {**cls.of(state).codes, **codes}
        return cls(columns, key, every, sum(rows[one] for one in codes), time.monotonic() - begun)

    @classmethod
    def of(cls, state: TableState) -> "Built":
        """What the newest commit says; nothing where it does not."""
        said = state.metadata.get(BUILT)
        if said is None:
            return cls()
        parts = json.loads(said)
        codes = {key: code for code, keys in parts.pop("codes").items() for key in keys}
        return cls(codes=codes, **parts)

    def metadata(self) -> dict[str, str]:
        """As the commit has it: each code version once."""
        by_code: dict[str, list[str]] = {}
        for key, code in self.codes.items():
            by_code.setdefault(code, []).append(key)
        parts = {
            "columns": dict(self.columns),
            "key": list(self.key),
            "codes": by_code,
            "rows": self.rows,
            "seconds": round(self.seconds, 3),
        }
        return {BUILT: json.dumps(parts, separators=(",", ":"))}

    def estimate(self, rows: int) -> float | None:
        """Seconds that as many rows should take, by what the last ones took; None where nobody knows."""
        return self.seconds * rows / self.rows if self.rows and self.seconds else None
