"""The load generator of bench_http: clients that ask over kept connections, each its next question when it has the
answer. `python -m tests.benchmarks.http_load PORT KIND CLIENTS SECONDS QUESTIONS.json` prints one JSON line.

A lean client of its own: it shares the machine with the server, and httpx takes a millisecond a request.
"""

import asyncio
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import uvloop

HEAD = b"Host: 127.0.0.1\r\nAccept: application/json\r\n"


FORMS = {
    "words in a type": 35,
    "words everywhere": 15,
    "two conditions": 35,
    "three conditions": 5,
    "over a number": 10,
}
"""Searches by kind, in percent."""


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\n".encode() + HEAD + b"\r\n"


def post(path: str, document: Any) -> bytes:
    body = orjson.dumps(document)
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return f"POST {path} HTTP/1.1\r\n".encode() + HEAD + length + body


class Client:
    """One connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        body = await self._reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
        return int(head[9:12]), body


class Mix:
    """Draws requests. `questions`: ids by type, words, and the values that conditions are made of."""

    def __init__(self, questions: dict[str, Any], kind: str, seed: int) -> None:
        self._known, self._kind, self._draw = questions, kind, random.Random(seed)
        self._next: tuple[str, dict[str, Any]] | None = None

    def draw(self) -> tuple[str, bytes]:
        """What kind of request, and its bytes."""
        if self._kind == "graph":
            return "graph", post("/v1/graph-queries", self._graph())
        if self._draw.random() < 0.5:
            kind = self._draw.choices(list(self._known["ids"]), weights=(80, 12, 6, 2))[0]
            return "object", get(f"/v1/objects/{kind}/{self._draw.choice(self._known['ids'][kind])}")
        if self._next is not None:
            (name, document), self._next = self._next, None
        else:
            name = self._draw.choices(list(FORMS), weights=list(FORMS.values()))[0]
            document = {**self._search(name), "limit": 20}
        self._asked = name, document
        return f"search: {name}", post("/v1/search", document)

    def learn(self, name: str, body: bytes) -> None:
        """Of the searches that have a next page a quarter go on to it."""
        if name.startswith("search") and self._draw.random() < 0.25:
            answer = orjson.loads(body)
            if "after" in answer:
                self._next = self._asked[0], {**self._asked[1], "after": answer["after"]}

    def _search(self, name: str) -> dict[str, Any]:
        draw, known = self._draw, self._known
        carrier, day, origin, dest = draw.choice(known["departures"])
        match name:
            case "words in a type":
                return {"type": "Flight", "text": draw.choice(known["designators"])}
            case "words everywhere":
                return {"text": draw.choice(known["words"])}
            case "two conditions":
                where = [["carrier", "=", carrier], ["flight_date", "=", day]]
                return {"type": "Flight", "where": where, "sort": [["dep_delay", "desc"]]}
            case "three conditions":
                where = [["origin", "=", origin], ["dest", "=", dest], ["flight_date", ">=", day]]
                return {"type": "Flight", "where": where, "sort": [["time_hour", "asc"]]}
            case _:
                fields = ["designator", "arr_delay", "flown_by"]
                where = [["dep_delay", ">", draw.randint(60, 600)]]
                return {"type": "Flight", "where": where, "sort": [["arr_delay", "desc"]], "fields": fields}

    def _graph(self) -> dict[str, Any]:
        """A plane's flights, the weather at their departures, what else left in it: cut at 200 nodes."""
        hops = [{"link": "flights"}, {"link": "had_weather"}, {"link": "flights"}]
        start = {"type": "Plane", "id": self._draw.choice(self._known["ids"]["Plane"])}
        return {"start": start, "hops": hops, "max_nodes": 200, "max_edges": 400}


async def run(port: int, kind: str, clients: int, seconds: float, questions: dict[str, Any]) -> dict[str, Any]:
    took: dict[str, list[float]] = {}
    errors: dict[str, int] = {}
    nodes: list[int] = []
    until = time.perf_counter() + seconds

    async def one(seed: int) -> None:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        mix = Mix(questions, kind, seed)
        while (began := time.perf_counter()) < until:
            name, request = mix.draw()
            status, body = await client.ask(request)
            took.setdefault(name, []).append(1000 * (time.perf_counter() - began))
            if status != 200:
                errors[f"{status} {body[:200]!r}"] = errors.get(f"{status} {body[:200]!r}", 0) + 1
            mix.learn(name, body)
            if name == "graph" and len(nodes) < 1000:
                nodes.append(body.count(b'"data_status"'))

    began = time.perf_counter()
    await asyncio.gather(*(one(seed) for seed in range(clients)))
    real = time.perf_counter() - began
    every = [ms for of_one in took.values() for ms in of_one]
    searches = [ms for name, of_one in took.items() if name.startswith("search") for ms in of_one]
    if searches:
        took["search"] = searches
    return {
        "clients": clients,
        "seconds": round(real, 1),
        "requests": len(every),
        "per_second": round(len(every) / real),
        "errors": sum(errors.values()),
        **({"first_errors": errors} if errors else {}),
        **({"nodes_median": statistics.median(nodes)} if nodes else {}),
        **{name: percentiles(values) for name, values in sorted({**took, "all": every}.items())},
    }


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"p{p}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 1) for p in (50, 95, 99)}


if __name__ == "__main__":
    _, port, kind, clients, seconds, path = sys.argv
    known = json.loads(Path(path).read_text())
    print(json.dumps(uvloop.run(run(int(port), kind, int(clients), float(seconds), known))))
