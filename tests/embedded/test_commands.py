"""Commands on one object over a real log: done once, refused with reasons, beside loads and other processes."""

import asyncio
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ontology_assets.canonical import NotCanonical
from ontology_assets.commands.command import read_command
from ontology_assets.commands.errors import (
    CommandRefused,
    NoSuchCommand,
    NoSuchObject,
    NotBegun,
    ObjectExists,
    OwnedByFiles,
)
from ontology_assets.commands.receipt import Receipt, find_command
from ontology_assets.commands.service import CommandDomain, CommandService
from ontology_assets.commands.visibility import At, behind
from ontology_assets.events.errors import CommandIdReused, SequenceConflict
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from ontology_assets.events.verify import verify
from ontology_assets.keys import KeyRefused
from ontology_assets.model.definitions import Domain, Mapping
from resources.object_store.local import LocalObjectStore
from tests.unit.events.faults import OUTCOMES, LosingReplies
from tests.unit.objectify.harbour import CALL, SHIP, call, store

GENT = "Gent/2013-01-01"
FILE = "defs/harbour/domain.yaml"


def domain(mappings: dict[str, Mapping], file: str | None = None) -> Domain:
    return Domain(name="harbour", datasets={}, object_types={"Ship": SHIP, "Call": CALL}, mappings=mappings, file=file)


def loaded(edits: str) -> dict[str, Mapping]:
    return {name: Mapping.model_validate({"from": "clean/x", "edits": edits}) for name in ("Ship", "Call")}


def opened(folder: Path, mappings: dict[str, Mapping], file: str | None, objects: Any = None) -> CommandService:
    log = EventLog(objects or LocalObjectStore(folder / "objects"), "harbour", sleep=lambda _: None)
    return CommandService([CommandDomain(domain(mappings, file), log, lambda: Heads(folder / "own.sqlite", log))])


@pytest.fixture
def api(tmp_path: Path) -> Iterator[CommandService]:
    """A domain that belongs to the API."""
    service = opened(tmp_path, {}, None)
    yield service
    service.close()


@pytest.fixture
def edited(tmp_path: Path) -> Iterator[CommandService]:
    """A domain of files whose mappings allow edits; `store(tmp_path)` loads the same log."""
    service = opened(tmp_path, loaded("allowed"), FILE)
    yield service
    service.close()


def ship(command_id: str, kind: str = "create", **more: Any) -> dict[str, Any]:
    return {"command_id": command_id, "command": kind, "type": "Ship", **more}


def create(api: CommandService, command_id: str = "c1", name: str = "Ada") -> Receipt:
    return api.run(ship(command_id, properties={"imo": 7, "name": name}))


def history(folder: Path, kind: str = "Ship", key: str = "7") -> list[dict[str, Any]]:
    log = EventLog(LocalObjectStore(folder / "objects"), "harbour")
    return [{**row, "data": json.loads(row["data"])} for row in log.aggregate(kind, key).to_pylist()]


def properties(folder: Path, kind: str = "Ship", key: str = "7") -> dict[str, Any] | None:
    state = history(folder, kind, key)[-1]["data"]["state"]
    return None if state is None else state["properties"]


def test_create_update_delete_are_one_event_each_with_their_ids(api: CommandService, tmp_path: Path) -> None:
    made = create(api)
    told = made.document()
    assert told.pop("recorded_at").endswith("Z")
    assert told == {
        "command_id": "c1", "status": "done", "domain": "harbour", "type": "Ship", "id": "7",
        "event_type": "ObjectCreated", "position": 1, "sequence": 1, "already": False,
    }  # fmt: skip
    api.run(ship("c2", "update", id="7", properties={"name": "Bea"}, actor="me", correlation_id="k"))
    gone = api.run(ship("c3", "delete", id="7", expected_seq=2))
    assert (gone.position, gone.sequence) == (3, 3)
    found = history(tmp_path)
    assert [(row["event_type"], row["sequence_number"], row["command_id"]) for row in found] == [
        ("ObjectCreated", 1, "c1"),
        ("ObjectUpdated", 2, "c2"),
        ("ObjectDeleted", 3, "c3"),
    ]
    assert [row["data"] for row in found] == [
        {"state": {"links": {}, "properties": {"imo": 7, "name": "Ada"}}},
        {"changed": ["name"], "state": {"links": {}, "properties": {"imo": 7, "name": "Bea"}}},
        {"state": None},
    ]
    assert (found[1]["actor"], found[1]["correlation_id"]) == ("me", "k")
    log = EventLog(LocalObjectStore(tmp_path / "objects"), "harbour")
    assert verify(log).ok


def test_every_property_type_is_written_as_a_load_writes_it(tmp_path: Path) -> None:
    """The same object by command and by load has the same state, links and hash."""
    service = opened(tmp_path / "command", {}, None)
    given = {"port": "Gent", "day": "2013-01-01", "imo": 7, "tons": "12.5", "depth": 3, "state": "P"}
    service.run(
        {"command_id": "c", "command": "create", "type": "Call", "properties": {**given, "place": {"lat": 1, "lon": 2}}}
    )
    service.close()
    from decimal import Decimal

    store(tmp_path / "load").load(
        {
            "": (
                "v1",
                [call("Gent", imo=7, tons=Decimal("12.50"), depth=3.0, place={"lat": 1.0, "lon": 2.0}, state="P")],
            )
        }
    )
    (ours,), (theirs,) = history(tmp_path / "command", "Call", GENT), history(tmp_path / "load", "Call", GENT)
    assert ours["data"]["state"] == theirs["data"]["state"]
    assert ours["data"]["state"]["links"] == {"of_ship": ["7"]}
    assert ours["state_hash"] == theirs["state_hash"]


# ------------------------------------------------------------------------------------------------------- idempotency


def test_a_repeated_command_is_answered_from_another_process_and_after_somebody_elses_edit(
    api: CommandService, tmp_path: Path
) -> None:
    create(api)
    first = api.run(ship("c2", "update", id="7", properties={"name": "Bea"}))
    api.run(ship("c3", "update", id="7", properties={"name": "Cleo"}))
    log = EventLog(LocalObjectStore(tmp_path / "objects"), "harbour")
    heads = Heads(tmp_path / "another.sqlite", log)
    other = CommandService([CommandDomain(domain({}), log, lambda: heads)])
    for service in (api, other):
        again = service.run(ship("c2", "update", id="7", properties={"name": "Bea"}))
        assert (again.already, again.position) == (True, first.position)
    other.close()
    found = find_command([(log, heads)], "c2").document()
    assert found.pop("recorded_at") == first.document()["recorded_at"]
    assert found == {
        "command_id": "c2", "status": "done", "domain": "harbour", "type": "Ship", "id": "7",
        "event_type": "ObjectUpdated", "position": 2, "sequence": 2, "already": True,
    }  # fmt: skip
    with pytest.raises(NoSuchCommand):
        find_command([(log, heads)], "c9")
    assert len(history(tmp_path)) == 3
    assert properties(tmp_path) == {"imo": 7, "name": "Cleo"}


def test_a_command_that_changes_nothing_is_in_the_log_too_so_that_its_repetition_reverts_nobody(
    api: CommandService, tmp_path: Path
) -> None:
    create(api)
    api.run(ship("c2", "update", id="7", properties={"name": "Ada"}))
    api.run(ship("c3", "update", id="7", properties={"name": "Cleo"}))
    assert api.run(ship("c2", "update", id="7", properties={"name": "Ada"})).already
    assert properties(tmp_path) == {"imo": 7, "name": "Cleo"}


@pytest.mark.parametrize(
    "other",
    [
        ship("c1", properties={"imo": 7, "name": "Bea"}),
        ship("c1", properties={"imo": 8, "name": "Ada"}),
        ship("c1", "update", id="7", properties={"name": "Ada"}),
        ship("c1", "delete", id="7"),
        {
            "command_id": "c1", "command": "create", "type": "Call",
            "properties": {"port": "Gent", "day": "2013-01-01", "state": "A"},
        },
    ],
)  # fmt: skip
def test_a_command_id_with_another_content_is_an_error_whatever_the_type(
    api: CommandService, tmp_path: Path, other: dict[str, Any]
) -> None:
    create(api)
    again = opened(tmp_path, {}, None)
    for service in (api, again):
        with pytest.raises(CommandIdReused) as caught:
            service.run(other)
        assert caught.value.status == 409
    again.close()
    assert len(history(tmp_path)) == 1


def test_one_command_sent_to_eight_processes_at_once_is_done_once(tmp_path: Path) -> None:
    services = []
    for i in range(8):
        log = EventLog(LocalObjectStore(tmp_path / "objects"), "harbour")
        heads = partial(Heads, tmp_path / f"{i}.sqlite", log)
        services.append(CommandService([CommandDomain(domain({}), log, heads)]))
    answers: list[Receipt] = []
    threads = [threading.Thread(target=lambda s=s: answers.append(create(s))) for s in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for service in services:
        service.close()
    assert [a.position for a in answers] == [1] * 8
    assert sum(not a.already for a in answers) == 1
    assert len(history(tmp_path)) == 1


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_command_whose_outcome_was_unknown_is_done_once(tmp_path: Path, outcome: str, applied: bool) -> None:
    objects = LosingReplies(tmp_path / "objects")
    service = opened(tmp_path, {}, None, objects)
    create(service)
    objects.faults = [(outcome, applied)] * (1 if applied else 3)
    done = service.run(ship("c2", "update", id="7", properties={"name": "Bea"}, expected_seq=1))
    assert (done.status, done.position) == ("done", 2)
    service.close()
    assert len(history(tmp_path)) == 2


def test_who_gives_up_on_an_unknown_outcome_is_told_so_and_it_settles_by_itself(tmp_path: Path) -> None:
    objects = LosingReplies(tmp_path / "objects")
    log = EventLog(objects, "harbour", patience_s=0.05)
    service = CommandService([CommandDomain(domain({}), log, lambda: Heads(tmp_path / "own.sqlite", log))])
    create(service)
    objects.faults = ["nothing"] * 40
    unknown = service.run(ship("c2", "update", id="7", properties={"name": "Bea"}), timeout_s=0.1)
    assert unknown.document() == {
        "command_id": "c2", "status": "unknown", "domain": "harbour", "type": "Ship", "id": "7", "already": False,
    }  # fmt: skip
    late = service.run(ship("c2", "update", id="7", properties={"name": "Bea"}))
    assert (late.status, late.already, late.position) == ("done", True, 2)
    service.close()
    assert len(history(tmp_path)) == 2


# ------------------------------------------------------------------------------------------------ conflicts and refusals


def test_of_64_clients_that_expect_the_same_sequence_one_wins_and_the_others_learn_the_actual(
    api: CommandService, tmp_path: Path
) -> None:
    create(api)
    won, lost = list[Receipt](), list[SequenceConflict]()

    def run(i: int) -> None:
        try:
            won.append(api.run(ship(f"u{i}", "update", id="7", properties={"name": f"n{i}"}, expected_seq=1)))
        except SequenceConflict as conflict:
            lost.append(conflict)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert {(one.status, one.expected, one.actual) for one in lost} == {(409, 1, 2)}
    assert len(lost) == 63
    assert properties(tmp_path) == {"imo": 7, "name": f"n{won[0].command_id[1:]}"}


def test_updates_of_one_object_by_64_clients_are_all_there_in_order(api: CommandService, tmp_path: Path) -> None:
    create(api)

    async def clients() -> list[Any]:
        return await asyncio.gather(
            *(
                api.arun(ship(f"u{k}-{i}", "update", id="7", properties={"name": f"{k} {i}"}), 60)
                for k in range(64)
                for i in range(5)
            )
        )

    answers = asyncio.run(clients())
    assert sorted(one.position for one in answers) == list(range(2, 322))
    assert [row["sequence_number"] for row in history(tmp_path)] == list(range(1, 322))
    log = EventLog(LocalObjectStore(tmp_path / "objects"), "harbour")
    assert verify(log).ok
    assert log.end().n < 100  # they were committed in groups


def test_what_one_command_of_a_group_is_refused_for_is_no_concern_of_the_others(
    api: CommandService, tmp_path: Path
) -> None:
    futures = [api.submit(api.check(ship(f"c{i}", properties={"imo": i // 2, "name": "x"}))) for i in range(40)]
    refused = [future.exception() for future in futures]
    assert [isinstance(one, ObjectExists) for one in refused] == [False, True] * 20


@pytest.mark.parametrize(
    ("document", "error", "where", "allowed"),
    [
        (ship("c", properties={"imo": 8, "name": "x", "age": 3}), CommandRefused, "Ship.age", ["imo", "name"]),
        (ship("c", properties={"imo": 8}), CommandRefused, "Ship", ["imo", "name"]),
        (ship("c", properties={"imo": "8", "name": "x"}), NotCanonical, "Ship.imo", None),
        (ship("c", properties={"imo": 8, "name": None}), CommandRefused, "Ship.name", ["string"]),
        (ship("c", id="9", properties={"imo": 8, "name": "x"}), CommandRefused, "id", ["8"]),
        (ship("c", "update", id="7", properties={"imo": 8}), CommandRefused, "Ship.imo", None),
        (ship("c", "update", id="7", properties={}), CommandRefused, "properties", ["imo", "name"]),
        (ship("c", "update", id="007", properties={"name": "x"}), KeyRefused, "Ship", ["7"]),
        (ship("c", "update", id="8", properties={"name": "x"}), NoSuchObject, "Ship/8", None),
        (ship("c", "delete", id="8"), NoSuchObject, "Ship/8", None),
        (ship("c", "delete", id="7", expected_seq=5), SequenceConflict, "log/harbour", None),
        (ship("c", properties={"imo": 7, "name": "x"}), ObjectExists, "Ship/7", None),
        (ship("c", "undo", id="7"), CommandRefused, "command", None),
        ({**ship("c"), "type": "Boat"}, CommandRefused, "type", ["Call", "Ship"]),
    ],
)
def test_a_command_that_can_not_be_is_refused_with_place_and_what_is_allowed(
    api: CommandService, tmp_path: Path, document: Any, error: type[Exception], where: str, allowed: list[str] | None
) -> None:
    create(api)
    with pytest.raises(error) as caught:
        api.run(document)
    assert caught.value.where == where  # type: ignore[attr-defined]
    if allowed is not None:
        assert caught.value.allowed == allowed  # type: ignore[attr-defined]
    assert len(history(tmp_path)) == 1


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], "document"),
        ({"command": "destroy"}, "command"),
        (ship("c", nonsense=1), "nonsense"),
        (ship(""), "command_id"),
        (ship("x" * 201), "command_id"),
        (ship("c", "update"), "id"),
        (ship("c", "delete", id="7", properties={"name": "x"}), "properties"),
        (ship("c", "update", id="7", fields=["name"]), "fields"),
        (ship("c", expected_seq=-1), "expected_seq"),
        (ship("c", expected_seq=True), "expected_seq"),
        (ship("c", properties=[1]), "properties"),
        (ship("\ud800"), "command_id"),
    ],
)
def test_a_document_that_is_no_command_names_the_member(document: Any, where: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        read_command(document)
    assert caught.value.where == where


def test_a_deleted_object_is_created_again_with_the_next_sequence(api: CommandService) -> None:
    create(api)
    api.run(ship("c2", "delete", id="7"))
    assert create(api, "c3").sequence == 3


@pytest.mark.parametrize("kind", ["create", "update", "delete"])
def test_a_type_that_files_own_is_409_and_names_the_file(tmp_path: Path, kind: str) -> None:
    service = opened(tmp_path, loaded("refused"), FILE)
    document = ship("c", kind, **({"properties": {"imo": 1, "name": "x"}} if kind == "create" else {"id": "7"}))
    with pytest.raises(OwnedByFiles) as caught:
        service.run(document)
    assert (caught.value.status, caught.value.where) == (409, FILE)
    assert "edits: allowed" in caught.value.detail


# ------------------------------------------------------------------------------------------------------------- waiting


def test_a_read_model_that_stands_before_a_position_or_can_not_tell_is_behind() -> None:
    assert behind({"search": At(5, "a"), "graph": At(6, "b")}, 5) == {}
    assert behind({"search": At(5, "a"), "graph": At(4, "b"), "other": "it is being rebuilt"}, 5) == {
        "graph": "stands at position 4 (generation b)",
        "other": "can't answer: it is being rebuilt",
    }


def test_a_command_that_was_not_begun_in_time_is_given_up_and_says_that_nothing_was_written(tmp_path: Path) -> None:
    objects = LosingReplies(tmp_path / "objects")
    log = EventLog(objects, "harbour", patience_s=0.05)
    service = CommandService([CommandDomain(domain({}), log, lambda: Heads(tmp_path / "own.sqlite", log))])
    create(service)
    objects.faults = ["nothing"] * 40
    assert service.run(ship("c2", "update", id="7", properties={"name": "Bea"}), timeout_s=0.1).status == "unknown"

    async def late() -> None:
        with pytest.raises(NotBegun) as caught:
            await service.arun(ship("c3", "update", id="7", properties={"name": "Cleo"}), 0.01)
        assert (caught.value.status, caught.value.where) == (503, "c3")

    asyncio.run(late())
    objects.faults = []
    service.close()
    assert [row["command_id"] for row in history(tmp_path)] == ["c1", "c2"]


def test_the_file_of_a_domain_is_no_part_of_what_it_is() -> None:
    one, other = domain({}, "a.yaml"), domain({}, "b.yaml")
    assert one.model_dump_json() == other.model_dump_json()


# -------------------------------------------------------------------------------------------------- edits over loads


def edit(service: CommandService, command_id: str, kind: str = "update", **more: Any) -> Receipt:
    return service.run({"command_id": command_id, "command": kind, "type": "Call", "id": GENT, **more})


def test_an_edited_field_is_kept_by_later_loads_and_the_others_follow_the_source(
    edited: CommandService, tmp_path: Path
) -> None:
    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7, depth=1.0)])})
    edit(edited, "e1", properties={"imo": 8})
    assert history(tmp_path, "Call", GENT)[-1]["data"]["changed"] == ["imo", "of_ship"]
    commit = harbour.load({"": ("v2", [call("Gent", imo=9, depth=2.0)])})
    (event,) = harbour.events(commit)
    assert (event["event_type"], event["sequence_number"]) == ("ObjectUpdated", 3)
    assert json.loads(event["data"]) == {
        "changed": ["depth"],
        "state": {
            "links": {"of_ship": ["8"]},
            "properties": {"day": "2013-01-01", "depth": 2.0, "imo": 8, "port": "Gent", "state": "A"},
        },
    }
    assert harbour.load({"": ("v3", [call("Gent", imo=9, depth=2.0)])}) is not None
    assert len(history(tmp_path, "Call", GENT)) == 3  # the same rows again change nothing


def test_an_undone_edit_goes_back_to_what_the_source_said_last(edited: CommandService, tmp_path: Path) -> None:
    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7)])})
    edit(edited, "e1", properties={"imo": 8, "depth": 5})
    harbour.load({"": ("v2", [call("Gent", imo=9)])})
    edit(edited, "e2", "undo", fields=["imo"])
    assert properties(tmp_path, "Call", GENT) == {
        "day": "2013-01-01", "depth": 5.0, "imo": 9, "port": "Gent", "state": "A",
    }  # fmt: skip
    edit(edited, "e3", "undo")
    assert "depth" not in (properties(tmp_path, "Call", GENT) or {})
    commit = harbour.load({"": ("v3", [call("Gent", imo=10)])})
    assert harbour.kinds(commit) == [("ObjectUpdated", GENT, 6)]
    with pytest.raises(CommandRefused, match="nothing of it is edited"):
        edit(edited, "e4", "undo")


def test_an_edit_that_sets_what_is_there_already_is_held_too(edited: CommandService, tmp_path: Path) -> None:
    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7)])})
    edit(edited, "e1", properties={"imo": 7})
    harbour.load({"": ("v2", [call("Gent", imo=9)])})
    assert (properties(tmp_path, "Call", GENT) or {})["imo"] == 7


def test_a_deletion_by_command_is_kept_by_loads_and_undone_to_the_sources_last_word(
    edited: CommandService, tmp_path: Path
) -> None:
    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7), call("Brugge")])})
    edit(edited, "e1", "delete")
    harbour.load({"": ("v2", [call("Gent", imo=9), call("Brugge")])})
    harbour.heads.catch_up()
    assert harbour.heads.counts() == {"Call": 1}
    edit(edited, "e2", "undo")
    assert (properties(tmp_path, "Call", GENT) or {})["imo"] == 9
    assert [row["event_type"] for row in history(tmp_path, "Call", GENT)] == [
        "ObjectCreated", "ObjectDeleted", "ObjectDeleted", "ObjectCreated",
    ]  # fmt: skip


def test_an_object_whose_row_is_gone_goes_and_comes_back_with_its_edits(edited: CommandService, tmp_path: Path) -> None:
    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7)])})
    edit(edited, "e1", properties={"imo": 8})
    gone = harbour.load({"": ("v2", [])})
    assert harbour.kinds(gone) == [("ObjectDeleted", GENT, 3)]
    back = harbour.load({"": ("v3", [call("Gent", imo=9, depth=1.0)])})
    assert harbour.kinds(back) == [("ObjectCreated", GENT, 4)]
    assert properties(tmp_path, "Call", GENT) == {
        "day": "2013-01-01", "depth": 1.0, "imo": 8, "port": "Gent", "state": "A",
    }  # fmt: skip


def test_a_deleted_object_whose_row_went_meanwhile_does_not_come_back_when_undone(
    edited: CommandService, tmp_path: Path
) -> None:
    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7)])})
    edit(edited, "e1", "delete")
    harbour.load({"": ("v2", [])})
    edit(edited, "e2", "undo")
    assert properties(tmp_path, "Call", GENT) is None
    assert harbour.kinds(harbour.load({"": ("v3", [call("Gent")])})) == [("ObjectCreated", GENT, 5)]


def test_a_load_deletes_nothing_that_a_command_made_and_takes_it_over_when_it_brings_the_key(
    edited: CommandService, tmp_path: Path
) -> None:
    harbour = store(tmp_path)
    edited.run(
        {
            "command_id": "e1", "command": "create", "type": "Call",
            "properties": {"port": "Gent", "day": "2013-01-01", "state": "P", "imo": 1},
        }
    )  # fmt: skip
    assert harbour.kinds(harbour.load({"": ("v1", [])})) == []
    commit = harbour.load({"": ("v2", [call("Gent", imo=2, depth=4.0)])})
    (event,) = harbour.events(commit)
    assert (event["event_type"], event["owner"]) == ("ObjectUpdated", "ontology/call/objects")
    assert json.loads(event["data"])["state"]["properties"] == {
        "day": "2013-01-01", "depth": 4.0, "imo": 1, "port": "Gent", "state": "P",
    }  # fmt: skip


def test_an_edit_between_a_loads_decision_and_its_commit_is_decided_again(
    edited: CommandService, tmp_path: Path
) -> None:
    from ontology_assets.objectify.decide import decide

    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7)])})
    load = harbour.prepared({"": ("v2", [call("Gent", imo=9)])})
    asked: list[int] = []

    def deciding(heads: Heads) -> Any:
        draft = decide(load, heads, harbour.log.states)
        if not asked:
            edit(edited, "e1", properties={"imo": 8})
        asked.append(1)
        return draft

    harbour.log.append(harbour.heads, deciding)
    assert len(asked) == 2
    assert (properties(tmp_path, "Call", GENT) or {})["imo"] == 8


def test_what_the_heads_know_of_edits_is_rebuilt_from_the_log(edited: CommandService, tmp_path: Path) -> None:
    harbour = store(tmp_path)
    harbour.load({"": ("v1", [call("Gent", imo=7)])})
    edit(edited, "e1", properties={"imo": 8})
    harbour.load({"": ("v2", [call("Gent", imo=9)])})
    harbour.heads.catch_up()
    late = Heads(tmp_path / "late.sqlite", harbour.log)
    late.catch_up()
    assert late.edits("Call") == harbour.heads.edits("Call") == {GENT: late.edits("Call")[GENT]}
    assert late.edits("Call")[GENT]["set"] == {"imo": 8}
    assert late.edits("Call")[GENT]["loaded"]["properties"]["imo"] == 9
