"""Port of the approvals: what the blocking rules of a table said of one data version of one partition.

A verdict is found again by what it is about (table, partition, data version, hash of the rules), whoever asks: another
step, another run, a command. Where there is none, nothing is approved. How rules are hashed and who asks is in
`transforms.gating`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

KEPT = 50
"""Verdicts kept of each partition, the newest."""


@dataclass(frozen=True)
class Verdict:
    """`failed`: names of the blocking rules that failed, none = approved; `profile`: what later versions are compared
    with, plain JSON."""

    table: str
    partition: str
    version: str
    rules: str
    failed: tuple[str, ...] = ()
    profile: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    at: datetime | None = None
    """Set when it is recorded."""

    @property
    def approved(self) -> bool:
        return not self.failed


class Approvals(ABC):
    """Safe to use from several threads and processes at once."""

    @abstractmethod
    def record(self, verdicts: Sequence[Verdict]) -> None:
        """All of them or none; a verdict of the same version under the same rules is replaced, and is the newest then.
        Durable when it returns."""

    @abstractmethod
    def verdicts(self, table: str, partitions: Sequence[str] | None = None) -> dict[str, list[Verdict]]:
        """Of the named partitions (None = all) that have any: at most `KEPT`, newest first."""

    @abstractmethod
    def close(self) -> None: ...
