"""A full replay gives the digest of the live read model, however it is done: events held at once, number of processes,
hash seed, time zone, locale, and order of what does not depend on each other (buckets, types, aggregates).

Each variant is a rebuild in processes of its own (`rebuilding_process.py`), with an environment of its own, over one
log of which the first half is sealed. What must come out is worked out from the written rule, without the product's
fold. The same harness must find rebuilds with a planted dependence.
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ontology_assets.events.sealing import seal
from ontology_assets.followers.follow import catch_up
from ontology_assets.projections.rebuild.place import Place, open_place
from ontology_assets.projections.rebuild.swap import swap
from ontology_assets.projections.sinks import live_sink
from resources.home import PROJECT_ROOT, Home
from resources.lake.local import LocalLake
from resources.registry.sql import SqliteRegistry
from tests.contracts.library import LIBRARY, folded_digest
from tests.contracts.library_log import LibraryHome
from tests.embedded.rebuilding_process import ORDERS
from tests.embedded.test_replay_determinism import Made, Variant, make

EVENTS, FEW = 1_500, 300
WHOLE = 60_000
"""Events held at once, of a bucket: all of this log's."""


@dataclass(frozen=True)
class Rebuilt(Variant):
    """`batch_rows`: events of a bucket that are held at once; fewer than all makes sixteen parts of each bucket."""

    order: str = "position"
    projection: str = "search"


VARIANTS = [
    Rebuilt(WHOLE, 1, 0, "UTC"),
    Rebuilt(1, 1, 1, "Asia/Seoul", order="ascending", projection="graph"),
    Rebuilt(WHOLE, 1, 2, "America/New_York", threads=4, order="descending"),
    Rebuilt(100, 1, 3, "Pacific/Apia", order="shuffled", projection="graph"),
    Rebuilt(WHOLE, 2, 4, "Asia/Kathmandu", order="ascending"),
    Rebuilt(10, 1, 5, "Europe/Dublin", projection="graph"),
    Rebuilt(WHOLE, 1, 6, "Africa/Monrovia", order="shuffled"),
    Rebuilt(1, 2, 7, "America/St_Johns", order="descending", projection="graph"),
    Rebuilt(WHOLE, 1, 8, "Antarctica/Troll", order="ascending"),
    Rebuilt(50, 1, 9, "Australia/Lord_Howe", threads=4, order="descending"),
    Rebuilt(WHOLE, 3, 10, "America/Sao_Paulo", order="shuffled"),
    Rebuilt(1, 1, 11, "Pacific/Kiritimati", order="shuffled"),
    Rebuilt(WHOLE, 1, 12, "Europe/Amsterdam", order="descending", projection="graph"),
    Rebuilt(1, 1, 13, "Asia/Tehran"),
    Rebuilt(WHOLE, 1, 4_294_967_295, "Pacific/Niue", threads=4, projection="graph"),
    Rebuilt(20, 1, 14, "Africa/Casablanca", order="ascending"),
]
SWAPPED = (0, 7)
"""Of these the swap follows: one of each projection."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return half_sealed(make(tmp_path_factory.mktemp("log"), EVENTS))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return half_sealed(make(tmp_path_factory.mktemp("few"), FEW))


def half_sealed(made: Made) -> Made:
    log = LibraryHome(made.home).log
    seal(log, LocalLake(Home(made.home).lake), LIBRARY.name, through=log.end().n // 2)
    return made


def beside(made: Made, folder: Path) -> Home:
    """A home of its own over the same log."""
    folder.mkdir(parents=True)
    for name in ("objects", "lake"):
        (folder / name).symlink_to(made.home / name)
    return Home(folder)


def rebuilt(made: Made, home: Home, variant: Rebuilt, locales: Path, planted: str = "") -> list[dict[str, Any]] | str:
    """What its workers answer, all at once; or the error of the first that failed."""

    def run(worker: int) -> subprocess.CompletedProcess[str]:
        told = [home.root, variant.projection, variant.batch_rows, worker, variant.workers, variant.order]
        return subprocess.run(
            [sys.executable, "-m", "tests.embedded.rebuilding_process", *map(str, [*told, *filter(None, [planted])])],
            cwd=PROJECT_ROOT,
            env=variant.environment(locales),
            capture_output=True,
            text=True,
            check=False,
        )

    with ThreadPoolExecutor(variant.workers) as pool:
        done = list(pool.map(run, range(variant.workers)))
    return next((one.stderr for one in done if one.returncode), None) or [json.loads(one.stdout) for one in done]


def place_of(home: Home, projection: str) -> Place:
    return open_place(home, projection, [LIBRARY], SqliteRegistry(home.registry), owner="test")


def digests(place: Place) -> set[str]:
    """As kept, and as computed from the rows, of the generation that was filled."""
    rebuild = place.records.rebuild()
    assert rebuild is not None
    assert len(rebuild.proofs) == 16
    with closing(place.sink(rebuild.generation, place.sources[0])) as sink:
        proof = sink.proof()
    return {proof.kept, proof.recomputed}


def test_a_full_replay_gives_the_live_models_digest_in_every_environment(
    whole: Made, locales: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = locales
    variants = [replace(one, locale=names[n % len(names)]) for n, one in enumerate(VARIANTS)]
    expected = folded_digest(whole.events, whole.broken)
    live = beside(whole, tmp_path / "live")
    for projection in ("search", "graph"):
        log = LibraryHome(live.root).log
        with closing(live_sink(live, projection, LIBRARY, log)) as sink:
            catch_up(log, sink, SqliteRegistry(live.registry), owner="test")
            assert sink.digest() == expected

    homes = [beside(whole, tmp_path / str(n)) for n in range(len(variants))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = list(pool.map(lambda n: rebuilt(whole, homes[n], variants[n], folder), range(len(variants))))
    assert len(variants) >= 16
    assert {one.order for one in variants} == set(ORDERS)
    assert whole.broken, "there are poison events"
    workers = [answer for one in answers for answer in one]
    for axis, least in {"locale": len(names), "zone": 10, "seed": len(variants)}.items():
        assert len({json.dumps(one[axis]) for one in workers}) >= least, axis  # they did live in it
    for n, variant in enumerate(variants):
        assert len({one["rebuild"] for one in answers[n]}) == 1, "its workers joined one rebuild"
        place = place_of(homes[n], variant.projection)
        assert digests(place) == {expected}, variant
        if n in SWAPPED:
            with closing(live_sink(homes[n], variant.projection, LIBRARY)) as sink:
                parked = place.sink(place.records.rebuild().generation, place.sources[0]).parked()
                swap(place, [f"{one.aggregate_type} {one.aggregate_id}" for one in parked])
                assert sink.digest() == expected
        place.registry.close()
        shutil.rmtree(homes[n].read_models)


def test_a_rebuild_that_depends_on_its_time_zone_is_found(
    few: Made, locales: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """The control: of two rebuilds that differ in one axis only, with the dependence planted. Other axes are planted in
    test_replay_determinism.py; the processes live in their environments in the same way.
    """
    found = []
    for zone in ("UTC", "Asia/Seoul"):
        variant, home = replace(VARIANTS[0], zone=zone), beside(few, tmp_path / zone)
        assert isinstance(rebuilt(few, home, variant, locales[0], planted="zone"), list)
        found.append(digests(place_of(home, variant.projection)))
    recomputed_here = found[0] & found[1]
    assert recomputed_here == {folded_digest(few.events, few.broken)}
    assert len(found[0] | found[1]) == 3


def test_a_fill_refuses_a_bucket_whose_hashes_depend_on_the_batch(
    few: Made, locales: tuple[Path, list[str]], tmp_path: Path
) -> None:
    said = rebuilt(few, beside(few, tmp_path / "home"), VARIANTS[0], locales[0], planted="batch_rows")
    assert isinstance(said, str)
    assert "BucketDiffers" in said
