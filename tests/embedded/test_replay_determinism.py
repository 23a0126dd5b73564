"""A fold of one log gives one digest: for every batch size, number of workers, hash seed, time zone and locale.

Each variant is a fold in processes of its own (`folding_process.py`) with an environment of their own, over one log of
ten thousand events that is made once. What must come out is worked out here from the written rule, without the
product's fold. The same harness must find the folds with a planted dependence on each of the five.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ontology_assets.events.envelope import DRAFT_SCHEMA, Draft, NewEvent, bucket_of
from ontology_assets.events.heads import Heads
from ontology_assets.events.log import EventLog
from resources.home import PROJECT_ROOT
from tests.contracts.library import LIBRARY, Change, Writer, compact, folded_digest
from tests.embedded.folding_process import PLANTED, SINKS
from tests.unit.events.counted import NotSynced

EVENTS, FEW = 10_000, 400
TEXTS = ("Iı İi ß", "é", "e\u0301", "한강", "\U0001f4d6", "ǅ Ω K", "", "a\u0000b\u2028c", "ﬁ \u200f rtl")
"""Letters whose case depends on the language, NFC and NFD, astral, empty, control characters."""


@dataclass(frozen=True)
class Variant:
    """How a fold is run, and the environment that it is run in."""

    batch_rows: int
    workers: int
    hash_seed: int
    zone: str
    locale: str = "C"
    threads: int = 1

    def environment(self, locales: Path) -> dict[str, str]:
        """Nothing of this process's own; the C locale is plain ASCII, as Python alone would not leave it."""
        own = {"PYTHONHASHSEED": str(self.hash_seed), "TZ": self.zone, "LC_ALL": self.locale, "LOCPATH": str(locales)}
        plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} if self.locale == "C" else {}
        return {**own, **plain, "OMP_NUM_THREADS": str(self.threads), "PATH": os.environ["PATH"]}


VARIANTS = [
    Variant(10_000, 1, 0, "UTC"),
    Variant(50, 1, 1, "Asia/Seoul"),
    Variant(64, 1, 2, "America/New_York", threads=4),
    Variant(100, 1, 3, "Pacific/Apia"),
    Variant(333, 2, 4, "Asia/Kathmandu"),
    Variant(500, 1, 5, "Europe/Dublin"),
    Variant(999, 3, 6, "Africa/Monrovia"),
    Variant(1_000, 1, 7, "America/St_Johns"),
    Variant(1_024, 1, 8, "Antarctica/Troll"),
    Variant(2_048, 1, 9, "Australia/Lord_Howe", threads=4),
    Variant(2_500, 2, 10, "America/Sao_Paulo"),
    Variant(4_096, 1, 11, "Pacific/Kiritimati"),
    Variant(4_999, 1, 12, "Europe/Amsterdam"),
    Variant(5_000, 1, 13, "Asia/Tehran"),
    Variant(9_999, 1, 4_294_967_295, "Pacific/Niue", threads=4),
    Variant(1_000_000, 1, 14, "Africa/Casablanca"),
]
"""Over the whole log; the locales at hand take turns over them."""
SMALL = [replace(VARIANTS[0], batch_rows=rows) for rows in (200, 1, 2, 3, 7)]
"""Over a small log: a batch is a transaction in each of two files."""
OTHER = {"batch_rows": 64, "workers": 2, "hash_seed": 99, "zone": "Asia/Seoul"}
"""Of each axis a value that differs from SMALL[0]'s; the locale is another one of those at hand."""


@dataclass(frozen=True)
class Made:
    """A home with a log, the events as they were given to it, and the positions of those that fit no type."""

    home: Path
    events: list[dict[str, Any]]
    broken: frozenset[int]


def make(home: Path, count: int) -> Made:
    """Loads and small commits in turns: objects of every property type made, changed, deleted, made again, poisoned."""
    draw, writer = random.Random(7), Writer()
    log = EventLog(NotSynced(home / "objects"), LIBRARY.name)
    heads = Heads(home / "heads.sqlite", log)
    events: list[dict[str, Any]] = []
    broken: set[int] = set()
    while len(events) < count:
        rows = min(count - len(events), draw.choice([1, 2, 5, 20, 700]))
        batch = []
        for _ in range(rows):
            event = writer.event(change(draw))
            if event["event_type"] != "ObjectDeleted" and draw.random() < 0.005:
                event["data"] = '{"state":{"links":{},"properties":{"code":7,"isbn":7,"no":"seven"}}}'
                broken.add(event["position"])
            batch.append(event)
        name = str(len(events))
        if rows > 20:
            table = pa.Table.from_pylist([draft_row(event) for event in batch], schema=DRAFT_SCHEMA)
            draft = Draft(name, events=table)
        else:
            draft = Draft(name, inline=[NewEvent(**inline_row(event)) for event in batch])
        log.append(heads, lambda _, draft=draft: draft)
        events += batch
    heads.close()
    return Made(home, events, frozenset(broken))


def change(draw: random.Random) -> Change:
    kind = draw.choice(["Author", "Book", "Book", "Book", "Shelf"])
    number = draw.randrange(2_000)
    key = {
        "Author": f"{draw.choice('가é😀a')}{number % 300}",
        "Book": f"{number}/{number % 3}",
        "Shelf": str(number % 50),
    }
    if draw.random() < 0.1:
        return (kind, key[kind], None, None)
    return (kind, key[kind], {n: v for n, v in values(kind, number, draw).items() if v is not None}, links(kind, draw))


def values(kind: str, number: int, draw: random.Random) -> dict[str, Any]:
    """Canonical JSON values, extremes among them."""
    day = date(1, 1, 1) + timedelta(draw.choice([0, 577_736, 734_000, 3_652_058]))
    moment = datetime(1, 1, 1, tzinfo=UTC) + timedelta(
        days=draw.choice([0, 734_902, 3_652_058]), microseconds=draw.randrange(10**6)
    )
    text = draw.choice(TEXTS)
    if kind == "Author":
        home = {"lat": draw.choice([0.0, -89.99999999999999, 5e-324]), "lon": draw.choice([180.0, -1e-05])}
        return {"code": f"a{number}", "name": text, "born": str(day), "home": home, "living": draw.random() < 0.5}
    if kind == "Shelf":
        return {"no": number % 50, "height": draw.choice([None, 0, -(2**63), 2**63 - 1])}
    return {
        "isbn": str(number),
        "edition": number % 3,
        "title": text + str(number),
        "blurb": draw.choice([None, "", text * 3]),
        "pages": draw.choice([None, -1, 10**15]),
        "price": draw.choice(["0.00", "-99999999.99", None]),
        "mass": draw.choice([None, "0.000001", "-999999999999999999999999.999999"]),
        "weight": draw.choice([0.1, 1e16, 1e-05, 0.0, 1.7976931348623157e308]),
        "published": f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
        "genre": draw.choice(["f", "n", None]),
    }


def links(kind: str, draw: random.Random) -> dict[str, str] | None:
    return {"written_by": f"a{draw.randrange(300)}"} if kind == "Book" and draw.random() < 0.7 else None


def draft_row(event: dict[str, Any]) -> dict[str, Any]:
    kind, key = event["aggregate_type"], event["aggregate_id"]
    return {**inline_row(event), "bucket": bucket_of(key), "owner": f"{kind}@{len(key)}"}


def inline_row(event: dict[str, Any]) -> dict[str, Any]:
    names = ("event_id", "event_type", "aggregate_type", "aggregate_id", "sequence_number", "data")
    state = compact(json.loads(event["data"])["state"])
    return {**{name: event[name] for name in names}, "metadata": "{}", "state_hash": sha(state)}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("log"), EVENTS)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("few"), FEW)


def folded(
    made: Made, out: Path, variants: Iterable[Variant], locales: Path, planted: str = ""
) -> list[dict[str, Any]]:
    """The answers of each variant's workers, put together. As many processes at once as the machine has processors."""
    jobs = [(number, one, worker) for number, one in enumerate(variants) for worker in range(one.workers)]

    def run(job: tuple[int, Variant, int]) -> dict[str, Any]:
        number, one, worker = job
        place = out / f"{planted}{number}-{worker}"
        told = [made.home, place, one.batch_rows, worker, one.workers, *filter(None, [planted])]
        done = subprocess.run(
            [sys.executable, "-m", "tests.embedded.folding_process", *map(str, told)],
            cwd=PROJECT_ROOT,
            env=one.environment(locales),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{one}\n{done.stderr}"
        shutil.rmtree(place)
        return {"number": number, **json.loads(done.stdout)}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(run, sorted(jobs, key=lambda job: job[1].batch_rows)))
    return [together([one for one in answers if one["number"] == number]) for number in sorted({j[0] for j in jobs})]


def together(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Workers share the buckets: none is in two of them, and the log's digest is the sum."""
    whole = {name: answers[0][name] for name in ("locale", "zone", "seed")}
    whole["log"] = [sum(lane) for lane in zip(*(one["log"] for one in answers), strict=True)]
    whole["heads"] = next(one["heads"] for one in answers if "heads" in one)
    for model in SINKS:
        for side in ("kept", "recomputed"):
            buckets = [bucket for one in answers for bucket in one[model][side].items()]
            assert len(dict(buckets)) == len(buckets)
            whole[f"{model} {side}"] = text_of(dict(buckets))
        whole[f"{model} parked"] = sorted(row for one in answers for row in one[model]["parked"])
    return whole


def text_of(buckets: dict[str, list[int]]) -> str:
    """As in `folded_digest`, which does not know the product's code either."""
    ordered = sorted((int(bucket), row) for bucket, row in buckets.items())
    lines = [f"{bucket:x} {' '.join(map(str, row))}\n" for bucket, row in ordered]
    return sha("".join(lines))[:16]


def parked_by_rule(made: Made) -> list[list[Any]]:
    """(type, id, position of the poison, how many wait with it)."""
    parked: dict[tuple[str, str], list[Any]] = {}
    for event in made.events:
        key = event["aggregate_type"], event["aggregate_id"]
        if key in parked:
            parked[key][3] += 1
        elif event["position"] in made.broken:
            parked[key] = [*key, event["position"], 1]
    return sorted(parked.values())


def heads_by_rule(made: Made, answered: list[list[Any]]) -> None:
    last = {(event["aggregate_type"], event["aggregate_id"]): event for event in made.events}
    assert len(answered) == len(last)
    for kind, key, sequence, state_hash, _, position, deleted in answered:
        event = last[kind, key]
        state = json.loads(event["data"])["state"]
        assert (sequence, position) == (event["sequence_number"], event["position"])
        assert (state_hash.lower(), bool(deleted)) == (sha(compact(state)), state is None)


def test_one_log_has_one_digest_in_every_environment(
    whole: Made, locales: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = locales
    variants = [replace(one, locale=names[n % len(names)]) for n, one in enumerate(VARIANTS)]
    answers = folded(whole, tmp_path, variants, folder)

    assert len(variants) >= 16
    for axis in ("locale", "zone", "seed"):  # each process did live in the environment that it was given
        told = {json.dumps(answer.pop(axis)) for answer in answers}
        assert len(told) >= {"locale": len(names), "zone": 10, "seed": len(variants)}[axis], (axis, told)
    assert whole.broken, "there are poison events"
    expected = folded_digest(whole.events, whole.broken)
    for variant, answer in zip(variants, answers, strict=True):
        assert {answer[f"{model} {side}"] for model in SINKS for side in ("kept", "recomputed")} == {expected}, variant
        assert answer["search parked"] == answer["graph parked"] == parked_by_rule(whole), variant
        assert answer == answers[0], variant
    heads_by_rule(whole, answers[0]["heads"])


def test_batches_of_a_single_event_have_the_same_digest(
    few: Made, locales: tuple[Path, list[str]], tmp_path: Path
) -> None:
    answers = folded(few, tmp_path, [*SMALL, *(other(axis, locales) for axis in PLANTED)], locales[0])
    assert few.broken
    assert {answer["search kept"] for answer in answers} == {folded_digest(few.events, few.broken)}
    assert {answer["graph kept"] for answer in answers} == {folded_digest(few.events, few.broken)}


@pytest.mark.parametrize("axis", PLANTED)
def test_a_fold_that_depends_on_its_environment_is_found(
    axis: str, few: Made, locales: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """The control: of two folds that differ in one axis only, and agree above, with the dependence planted."""
    answers = folded(few, tmp_path, [SMALL[0], other(axis, locales)], locales[0], planted=axis)
    assert len({answer["search kept"] for answer in answers}) == 2
    assert len({answer["graph kept"] for answer in answers}) == 2


def other(axis: str, locales: tuple[Path, list[str]]) -> Variant:
    """SMALL[0], in one axis another."""
    return replace(SMALL[0], **{axis: locales[1][1] if axis == "locale" else OTHER[axis]})
