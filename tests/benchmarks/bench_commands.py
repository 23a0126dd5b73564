"""`POST /v1/commands` against a real server, every command durable (fsync) before it is answered.

`python -m tests.benchmarks.bench_commands` prints one JSON line a figure (`figures.py`).
Server and clients are processes of their own on the same machine, on a home of their own; a client sends its next
command when the last one is answered. SPICE_BENCH_SCALE=0.01 runs the same code at 1 %. Bare of the 64 clients is the
same command from one client; of a conflict the same; of a wait that fails the time that was asked for.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import uvloop

from gateway.api_server import PROCESSES
from resources.home import Home
from resources.object_store.local import LocalObjectStore
from tests.benchmarks.bench_event_log import CLIENTS
from tests.benchmarks.figures import SCALE, figure
from tests.benchmarks.http_load import Client, post
from tests.served import served

EACH = max(5, int(200 * SCALE))
ROUNDS = 5 if SCALE >= 0.1 else 1
LATE_S = 0.5
DOMAIN = """\
spice: 1
domain: stock
datasets:
  items: {file: items.csv, types: {n: integer, name: string}}
object_types:
  Item:
    key: [n]
    title: name
    properties: {n: integer, name: string}
mappings:
  Item: {from: clean/items, edits: allowed}
"""
Work = Callable[[Client, int], Awaitable[None]]
_ids = itertools.count(1)


async def send(client: Client, query: str = "", want: tuple[int, ...] = (202,), **command: Any) -> dict[str, Any]:
    document = {"command_id": f"c{next(_ids)}", "type": "Item", **command}
    status, body = await client.ask(post(f"/v1/commands{query}", document))
    if status not in want:
        raise SystemExit(f"status {status}: {body[:300]!r}")
    answer: dict[str, Any] = orjson.loads(body)
    return answer


async def edit(client: Client, each: int) -> None:
    """One object made, then changed."""
    key = next(_ids)
    await send(client, command="create", properties={"n": key, "name": "x"})
    for i in range(each - 1):
        await send(client, command="update", id=str(key), properties={"name": f"{i}"})


async def lose(client: Client, each: int) -> None:
    """Commands that expect a sequence which the object has left behind."""
    for _ in range(each):
        told = await send(client, want=(409,), command="update", id="0", properties={"name": "y"}, expected_seq=1)
        if (told["expected"], told["actual"]) != (1, 2):
            raise SystemExit(f"the loser is told {told}")


async def rate(port: int, clients: int, each: int, work: Work) -> tuple[float, list[float]]:
    """Commands a second, and the time of each client's command in ms."""
    opened = [Client(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(clients)]
    took: list[float] = []

    async def timed(client: Client) -> None:
        began = time.perf_counter()
        await work(client, each)
        took.append(1000 * (time.perf_counter() - began) / each)

    began = time.perf_counter()
    await asyncio.gather(*map(timed, opened))
    return clients * each / (time.perf_counter() - began), took


async def late(port: int) -> float:
    """Seconds until a wait for read models that nobody feeds is given up, and told as done but not visible."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    began = time.perf_counter()
    query = f"?wait=position&timeout={LATE_S}"
    told = await send(client, query, (408,), command="create", properties={"n": next(_ids), "name": "late"})
    if told["committed"]["status"] != "done":
        raise SystemExit(f"the wait is told {told}")
    return time.perf_counter() - began


async def rates(port: int, work: Work) -> tuple[float, float, list[float]]:
    """Commands a second of 64 clients and of one, in turns, and the times of one of the 64 in ms."""
    alone, together, times = list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        alone.append((await rate(port, 1, 2 * EACH, work))[0])
        figures = await rate(port, CLIENTS, EACH, work)
        together.append(figures[0])
        times += figures[1]
    return statistics.median(together), statistics.median(alone), times


async def measure(port: int) -> None:
    """On one server process."""
    first = Client(*await asyncio.open_connection("127.0.0.1", port))
    await send(first, command="create", properties={"n": 0, "name": "x"})
    await send(first, command="update", id="0", properties={"name": "y"})
    for name, work, want in (("durable commands", edit, 20.0), ("commands that lose a race (409)", lose, None)):
        together, alone, times = await rates(port, work)
        figure(f"HTTP: {CLIENTS} clients against one, {name}, commands/s", together, alone, want)
        figure(f"HTTP: {name}, p50 of {CLIENTS} clients in ms", statistics.median(times), 1000 / alone)
    waited = [await late(port) for _ in range(ROUNDS)]
    figure("HTTP: a wait that fails (408), s", statistics.median(waited), LATE_S, 0.8, lower_is_better=True)


async def measure_product(port: int) -> None:
    """As it is served: several processes share one log."""
    together, alone, _ = await rates(port, edit)
    figure(f"HTTP: {CLIENTS} clients on {PROCESSES} processes against one, commands/s", together, alone)


def one_put(folder: Path) -> float:
    """Seconds of a bare durable put of as many bytes as a record of one command has: the floor of a serial client."""
    store = LocalObjectStore(folder)
    times = []
    for i in range(max(20, int(500 * SCALE))):
        began = time.perf_counter()
        store.put_if_absent(f"bare/{i}", b"x" * 1_200)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as place:
        folder = Path(place) / "defs" / "stock"
        folder.mkdir(parents=True)
        (folder / "domain.yaml").write_text(DOMAIN)
        home = Home(Path(place) / "home")
        for processes, work in ((1, measure), (PROCESSES, measure_product)):
            with served(home.root, folder, processes) as address:
                uvloop.run(work(int(address.rsplit(":", 1)[1])))
        figure("a bare durable put, p50 in ms", 1000 * one_put(home.objects))


if __name__ == "__main__":
    main()
