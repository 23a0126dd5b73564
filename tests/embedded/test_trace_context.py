"""Where a message's trace context comes from: the header of a command, the run of a load."""

import json
import uuid
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from gateway.main_job import follow_all
from gateway.readers import open_readers
from ontology_assets.tracing import read_traceparent
from resources.home import Home
from resources.topic.sqlite import SqliteTopic
from tests.embedded.conftest import Bakery
from tests.served import served
from tests.writable import writable

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_command_s_header_and_a_run_s_id_reach_the_topic(bakery_run: Bakery, tmp_path: Path) -> None:
    shop = writable(bakery_run, tmp_path)
    home = Home(shop.home)

    def create(client: httpx.Client, name: str, **headers: str) -> httpx.Response:
        properties = {"city": "Dijon", "street": name, "name": name}
        document = {"command_id": name, "command": "create", "type": "Shop", "properties": properties}
        return client.post("/v1/commands", json=document, headers=headers)

    with served(shop.home, shop.folder) as address, httpx.Client(base_url=address, timeout=30) as client:
        answers = [
            create(client, "traced", traceparent=GIVEN),
            create(client, "broken", traceparent="00-0-0-0"),
            create(client, "without"),
            create(client, "traced", traceparent=GIVEN.replace("4bf", "5bf")),  # the same command, sent again
        ]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 202]
    assert answers[3].json()["position"] == answers[0].json()["position"]
    home.topic.unlink(missing_ok=True)  # it may come from an older copy of the bakery's home
    with open_readers(home, [shop.domain]) as readers:
        follow_all(readers, shop.domain, say=lambda _: None)
        log = [row for batch in readers.log(shop.domain.name).events() for row in batch.to_pylist()]
    with closing(SqliteTopic(home.topic)) as topic:
        messages: list[dict[str, Any]] = topic.read(limit=1_000_000).to_pylist()

    by_position = {message["ce_position"]: message["ce_traceparent"] for message in messages}
    assert [by_position[answer.json()["position"]] for answer in answers[:3]] == [GIVEN, None, None]
    runs = Counter(of for text in by_position.values() if text not in (GIVEN, None) for of in [text.split("-")[1]])
    told = Counter(
        uuid.UUID(run).hex for row in log if (run := json.loads(row["metadata"]).get("run_id")) and len(run) == 36
    )
    assert runs == told
    assert runs
    assert all(read_traceparent(text) == text for text in by_position.values() if text is not None)
