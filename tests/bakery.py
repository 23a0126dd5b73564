"""The small second domain as a workshop for tests that kill, spoil and correct: projects, homes, what a home holds.

A run of it takes seconds, so that many can be made. Without rules (no contract, no expectation) a run loads neither
pandera nor Great Expectations and takes half the time.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import DagsterRunStatus, RunsFilter

from gateway.demo.correction import copy_home
from gateway.main_job import follow_all
from gateway.readers import Readers, open_readers
from ontology_assets.model.definitions import Domain
from ontology_assets.model.loading import load_domain
from resources.home import Home
from resources.instance import open_instance
from resources.lake.local import LocalLake
from resources.topic.sqlite import SqliteTopic
from tests.conftest import Spice, project_with
from tests.prepared import Server

BAKERY = Path(__file__).parent / "domains" / "bakery"
NAME = "bakery"
TIED_TO_POSITIONS = {"EventsSealed", "ProjectionCaughtUp"}
"""Envelopes whose content depends on where the log ended, and so on when a run was killed."""
UNFINISHED = [
    status for status in DagsterRunStatus if status.value in ("NOT_STARTED", "STARTING", "STARTED", "CANCELING")
]


@dataclass(frozen=True)
class Ran:
    """The end of one run: exit status (-9: killed) and what it told of itself."""

    status: int
    outcome: dict[str, Any]

    @property
    def failures(self) -> str:
        return "\n".join(self.outcome.get("failures", []))


@dataclass(frozen=True)
class Workshop:
    """A project whose only domain is the bakery; `folder` holds its definition files."""

    project: Path

    @property
    def folder(self) -> Path:
        return self.project / "orchestration" / "defs" / NAME

    @property
    def domain(self) -> Domain:
        return load_domain(self.folder)

    def spice(self, home: Path) -> Spice:
        """The command line on a home; the bakery's files are put there if it has none."""
        sources = home / "sources" / NAME
        if not sources.exists():
            shutil.copytree(BAKERY / "sources", sources)
        return Spice(home, self.project)

    def readers(self, home: Path) -> Readers:
        return open_readers(Home(home), [self.domain])

    def follow(self, home: Path) -> Readers:
        """Topic and read models brought to the end of the log, as `spice run` does after the job."""
        readers = self.readers(home)
        follow_all(readers, readers.domains[0], say=lambda _: None)
        return readers


class RunServer(Server):
    """Runs of the bakery's job in children of one process (tests/run_server.py): one to two seconds each."""

    def __init__(self, project: Path, *, rules: bool) -> None:
        super().__init__("run_server.py", project, *(["--rules"] if rules else []))

    def run(
        self,
        home: Path,
        *,
        point: str = "",
        partitions: str | None = None,
        job: str = NAME,
        only: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Ran:
        asked = {"home": str(home), "job": job, "point": point, "partitions": partitions}
        answer = self.ask({**asked, "only": only, "config": config})
        return Ran(answer["status"], answer["outcome"] or {})


@dataclass(frozen=True)
class Kitchen:
    """A project, a finished home of it that is never changed, and a server that runs its job."""

    shop: Workshop
    home: Path
    server: RunServer

    def copy(self, folder: Path) -> Path:
        return copy_home(Home(self.home), folder / "home").root


def kitchen(folder: Path, *, rules: bool) -> Iterator[Kitchen]:
    """For a fixture: the home is made by one run."""
    shop = workshop(folder / "project", rules=rules)
    server, home = RunServer(shop.project, rules=rules), folder / "home"
    shop.spice(home)
    assert server.run(home).status == 0
    shop.follow(home)
    yield Kitchen(shop, home, server)
    server.close()


def workshop(folder: Path, *, rules: bool = True) -> Workshop:
    """A copy of the project with the bakery and no other domain."""
    made = Workshop(project_with(folder, BAKERY))
    for other in made.folder.parent.iterdir():
        if other.is_dir() and other != made.folder:
            shutil.rmtree(other)
    if not rules:
        text = (made.folder / "domain.yaml").read_text()
        text = re.sub(r"^    expectations:\n(      - .*\n)+", "", text, flags=re.MULTILINE)
        (made.folder / "domain.yaml").write_text(re.sub(r"^    contract: .*\n", "", text, flags=re.MULTILINE))
    return made


def edit(path: Path, change: Mapping[int, str | None], add: str = "") -> None:
    """Rewrite lines of a file (1 = the header; None removes the line), and add some at its end."""
    lines = dict(enumerate(path.read_text().splitlines(), 1))
    lines.update({number: text for number, text in change.items() if text is not None})
    kept = [text for number, text in lines.items() if change.get(number, "") is not None]
    path.write_text("\n".join(kept) + "\n" + add)


def contents(readers: Readers) -> dict[str, Any]:
    """All that must be the same however often a run was killed on the way: no positions, no times, no run ids.

    Event ids are derived from what happened, so they must be the same too.
    """
    domain = readers.domains[0]
    events = [row for batch in readers.log(NAME).events() for row in batch.to_pylist()]
    lake = LocalLake(readers.home.lake)
    tables = {
        table: Counter(tuple(sorted((k, str(v)) for k, v in row.items())) for row in lake.scan(table).to_pylist())
        for table in lake.tables()
        if not table.startswith("events/")
    }
    edges, documents = [], {}
    for name, kind in domain.object_types.items():
        found = readers.queries.search({"type": name, "limit": 1000}).document
        assert found["total"] == len(found["objects"])
        documents |= {(name, one["id"]): {k: v for k, v in one.items() if k != "position"} for one in found["objects"]}
        for link in kind.links:
            question = {"start": {"type": name, "where": []}, "hops": [{"link": link}]}
            edges += [tuple(edge.values()) for edge in readers.queries.graph(question).document["edges"]]
    return {
        "events": Counter(
            (row["event_id"], row["event_type"], row["aggregate_id"], row["sequence_number"], row["state_hash"])
            for row in events
            if row["event_type"] not in TIED_TO_POSITIONS
        ),
        "tables": tables,
        "versions": {table: dict(lake.versions(table)) for table in tables},
        "documents": documents,
        "edges": Counter(edges),
    }


def folded(readers: Readers) -> dict[tuple[str, str], str]:
    """Live objects by (type, id) with their state's hash, folded from the log."""
    states: dict[tuple[str, str], str] = {}
    for batch in readers.log(NAME).events():
        for row in batch.to_pylist():
            place = (row["aggregate_type"], row["aggregate_id"])
            if row["event_type"] == "ObjectDeleted":
                del states[place]
            elif row["event_type"].startswith("Object") and row["aggregate_type"] != "Asset":
                states[place] = row["state_hash"]
    return states


def assert_whole(readers: Readers, scratch: Path) -> None:
    """The log verifies; topic and read models are what a new home makes of this log; no run is left unfinished."""
    report = readers.verify(NAME)
    assert report.ok, [check for check in report.checks if not check.ok]
    ids = [row["event_id"] for batch in readers.log(NAME).events() for row in batch.to_pylist()]
    published = SqliteTopic(readers.home.topic).read(limit=len(ids) + 1)["ce_id"].to_pylist()
    assert published == ids == list(dict.fromkeys(ids))
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(readers.home.objects, scratch / "objects")
    anew = open_readers(Home(scratch), readers.domains)
    follow_all(anew, readers.domains[0], say=lambda _: None)
    for kept, new in zip(readers.sinks(NAME)[1:], anew.sinks(NAME)[1:], strict=True):
        assert kept.position() == new.position() == len(ids)
        assert kept.digest() == new.digest()
    with open_instance(readers.home) as instance:
        assert [run.run_id for run in instance.get_runs(RunsFilter(statuses=UNFINISHED))] == []


def assert_same(mine: dict[str, Any], other: dict[str, Any]) -> None:
    """Both contents are equal; says which entries are not."""
    for part, theirs in other.items():
        ours = mine[part]
        if ours != theirs:
            here, there = (
                [(key, value) for key, value in one.items() if two.get(key) != value]
                for one, two in ((ours, theirs), (theirs, ours))
            )
            raise AssertionError(f"{part} differ\nonly here: {here[:5]}\nonly there: {there[:5]}")
