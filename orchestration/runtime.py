"""The one resource of the code location: every outside thing, opened on first use and shared by the steps of a run.

Loading this module opens nothing. The heavy adapters are imported where they are first asked for.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from orchestration.progress import StageClock, process_clock
from resources.home import Home

if TYPE_CHECKING:
    from ontology_assets.events.heads import Heads
    from orchestration.run_log import RunLog
    from resources.approvals.base import Approvals
    from resources.lake.local import LocalLake


class Runtime(dg.ConfigurableResource["Runtime"]):
    """Ports of the embedded default, by home.

    `home_dir` empty means `$SPICE_HOME`, else `.spice` in the project. `bars` draws progress on stderr.
    """

    home_dir: str = ""
    bars: bool = False

    _logs: dict[str, "RunLog"] = PrivateAttr(default_factory=dict)
    _heads: dict[str, "Heads"] = PrivateAttr(default_factory=dict)

    @property
    def home(self) -> Home:
        return Home.resolve(self.home_dir or None)

    @property
    def clock(self) -> StageClock:
        """The process's clock: Dagster makes a new resource for each step."""
        return process_clock(bars=self.bars)

    @property
    def lake(self) -> "LocalLake":
        from resources.lake.local import LocalLake

        return LocalLake(self.home.lake)

    @contextmanager
    def approvals(self) -> "Iterator[Approvals]":
        """What is approved, open while the block runs."""
        from resources.approvals.sql import SqliteApprovals

        with closing(SqliteApprovals(self.home.registry)) as approvals:
            yield approvals

    @property
    def locks(self) -> Path:
        return self.home.locks

    def log(self, domain: str) -> "RunLog":
        from ontology_assets.events.opening import open_log
        from orchestration.run_log import RunLog

        if domain not in self._logs:
            self._logs[domain] = open_log(self.home, domain, RunLog)
        return self._logs[domain]

    def heads(self, domain: str) -> "Heads":
        from ontology_assets.events.heads import Heads

        if domain not in self._heads:
            self._heads[domain] = Heads(self.home.heads / f"{domain}.sqlite", self.log(domain))
        return self._heads[domain]
