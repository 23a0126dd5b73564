"""A home whose log is archived, or holds envelopes of an older schema version: every reader of the product gets on."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.domains import domains
from gateway.readers import open_readers
from ontology_assets.commands.service import CommandDomain, CommandService
from ontology_assets.events import opening
from ontology_assets.events.envelope import DRAFT_SCHEMA, Draft
from ontology_assets.events.heads import Heads
from ontology_assets.events.opening import open_log
from ontology_assets.events.sealing import seal
from ontology_assets.events.upcasting import Upcaster
from ontology_assets.followers.apart import catch_up_apart, catch_up_here
from ontology_assets.followers.follow import catch_up
from ontology_assets.followers.relay import Relay
from orchestration.jobs.archiving import archiving_definitions
from orchestration.runtime import Runtime
from resources.home import FORMAT, Home
from resources.lake.local import LocalLake
from resources.registry.sql import SqliteRegistry
from resources.topic.sqlite import SqliteTopic
from tests.contracts.library import LIBRARY
from tests.embedded.shelves import DOMAIN, assert_model_is_the_fold, assert_topic_is_the_log, shelf_event
from tests.unit.events.making import always, sha


@pytest.fixture(autouse=True)
def _the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPICE_HOME", "")  # a command sets it for its children


def bulk_shelves(first: int, last: int) -> Draft:
    """The events first..last as a load writes them."""
    made = [{**vars(shelf_event(n)), "bucket": sha(shelf_event(n).aggregate_id)[:2]} for n in range(first, last + 1)]
    rows = [{name: row[name] for name in DRAFT_SCHEMA.names} for row in made]
    return Draft(str(uuid.uuid4()), events=pa.Table.from_pylist(rows, schema=DRAFT_SCHEMA))


def written(home: Home) -> None:
    """Twenty events in two loads, one command's, ten more in a load."""
    log = open_log(home, DOMAIN)
    heads = Heads(home.heads / "writer.sqlite", log)
    for draft in (
        bulk_shelves(1, 14),
        bulk_shelves(15, 20),
        Draft("one", inline=[shelf_event(21)]),
        bulk_shelves(22, 31),
    ):
        log.append(heads, always(draft))
    heads.close()


def data_files(home: Home) -> list[Path]:
    return sorted((home.objects / "log-data" / DOMAIN).glob("*.parquet"))


def by_the_dagster_job(home: Home) -> None:
    defs = dg.Definitions.merge(
        archiving_definitions([LIBRARY]), dg.Definitions(resources={"runtime": Runtime(home_dir=str(home.root))})
    )
    assert defs.resolve_job_def("archive_events").execute_in_process().success


def by_the_readers(home: Home) -> None:
    with open_readers(home, [LIBRARY]) as readers:
        assert readers.archive(DOMAIN, None).files == 3


@pytest.mark.parametrize("archiving", [by_the_readers, by_the_dagster_job])
def test_every_reader_of_an_archived_home_begins_at_the_beginning_and_gets_to_the_end(
    tmp_path: Path, archiving: Callable[[Home], None]
) -> None:
    home = Home(tmp_path / "home")
    written(home)
    assert seal(open_log(home, DOMAIN), LocalLake(home.lake), DOMAIN).appended == 31
    assert len(data_files(home)) == 3
    archiving(home)
    assert data_files(home) == []

    registry = SqliteRegistry(home.registry)
    catch_up(open_log(home, DOMAIN), Relay(SqliteTopic(home.topic), DOMAIN), registry, owner="t", run_id="t")
    registry.close()
    assert_topic_is_the_log(home, 31)
    assert catch_up_here(home, LIBRARY, "search", owner="t", run_id="t").position == 31
    assert catch_up_apart(home, LIBRARY, "graph", owner="t", run_id="t").position == 31
    assert_model_is_the_fold(home, "search", 31)
    assert_model_is_the_fold(home, "graph", 31)

    runtime = Runtime(home_dir=str(home.root))
    assert runtime.heads(DOMAIN).catch_up() == 31
    with open_readers(home, [LIBRARY]) as readers:
        assert readers.verify(DOMAIN).ok
        assert len(readers.log(DOMAIN).aggregate("Shelf", "2", heads=readers.heads(DOMAIN))) == 5
        log, heads = readers.log(DOMAIN), readers.heads(DOMAIN)
        service = CommandService([CommandDomain(LIBRARY, log, lambda: heads)])
        done = service.run(
            {
                "command": "update",
                "command_id": "c-after-archiving",
                "type": "Shelf",
                "id": "2",
                "properties": {"height": 7},
            }
        )
        service.close()
        assert (done.position, done.sequence) == (32, 6)


def test_events_archive_on_the_command_line(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.format_file.write_text(f"{FORMAT}\n")
    (declared,) = domains()
    log = open_log(home, declared.name)
    heads = Heads(home.heads / "writer.sqlite", log)
    log.append(heads, always(bulk_shelves(1, 20)))
    seal(log, LocalLake(home.lake), declared.name)

    def spice(*words: str) -> Any:
        done = CliRunner().invoke(app, ["events", *words, "--home", str(home.root)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert json.loads(spice("archive", "--through", "0", "--json"))["files"] == 0
    report = json.loads(spice("archive", "--json"))
    assert (report["domain"], report["through"], report["files"]) == (declared.name, 1, 1)
    assert spice("archive") == f"{declared.name}: archived through record 1; removed now: 0 files, 0 bytes\n"
    assert json.loads(spice("verify", "--json"))["ok"]
    shown = [json.loads(line) for line in spice("tail", "--limit", "0").splitlines()]
    assert [(one["position"], one["event_id"]) for one in shown] == [(n, shelf_event(n).event_id) for n in range(1, 21)]


# --------------------------------------------------------------------------------------------------- schema versions


def in_metres(data: dict[str, Any]) -> dict[str, Any]:
    """Version 0 kept the height of a shelf in metres, as `size`."""
    properties = dict(data["state"]["properties"])
    properties["height"] = round(properties.pop("size") * 1_000)
    return {**data, "state": {**data["state"], "properties": properties}}


def old_event(n: int) -> Any:
    now = shelf_event(n)
    document = json.loads(now.data)
    document["state"]["properties"]["size"] = document["state"]["properties"].pop("height") / 1_000
    state = json.dumps(document["state"], separators=(",", ":"), sort_keys=True)
    data = f'{{"state":{state}}}' if now.sequence_number == 1 else f'{{"changed":["height"],"state":{state}}}'
    return type(now)(**{**vars(now), "data": data, "state_hash": sha(state), "schema_version": "0"})


def test_envelopes_of_an_older_version_are_followed_as_new_ones_by_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = tuple(Upcaster(kind, "0", "1", in_metres) for kind in ("ObjectCreated", "ObjectUpdated"))
    monkeypatch.setattr(opening, "UPCASTERS", steps)
    home = Home(tmp_path / "home")
    log = open_log(home, DOMAIN)
    heads = Heads(home.heads / "writer.sqlite", log)
    log.append(heads, always(Draft("old", inline=[old_event(n) for n in range(1, 13)])))
    log.append(heads, always(Draft("new", inline=[shelf_event(n) for n in range(13, 21)])))

    registry = SqliteRegistry(home.registry)
    catch_up(open_log(home, DOMAIN), Relay(SqliteTopic(home.topic), DOMAIN), registry, owner="t", run_id="t")
    registry.close()
    assert_topic_is_the_log(home, 20)
    for name in ("search", "graph"):
        catch_up_here(home, LIBRARY, name, owner="t", run_id="t")
        assert_model_is_the_fold(home, name, 20)
    with open_readers(home, [LIBRARY]) as readers:
        found = readers.log(DOMAIN).aggregate("Shelf", "5", heads=readers.heads(DOMAIN))
        assert found["data"].to_pylist() == [shelf_event(n).data for n in (6, 13, 20)]
        assert found["schema_version"].to_pylist() == ["1"] * 3
    # what the log holds is what was written: verified, and sealed, as it was
    assert seal(log, LocalLake(home.lake), DOMAIN).appended == 20
    with open_readers(home, [LIBRARY]) as readers:
        assert readers.verify(DOMAIN).ok
