"""`spice simulate`: a seed of the deterministic simulator again, or many. It is part of the tests: of a checkout."""

import sys
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from gateway.cli.common import JsonOption, print_json, say
from resources.errors import SpiceError
from resources.home import PROJECT_ROOT

SHOWN_STEPS = 60


def simulate(
    seed: Annotated[int, typer.Option("--seed", min=0, help="The run to repeat.")] = 0,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="So many runs, from --seed on.")] = 1,
    steps: Annotated[int, typer.Option("--steps", min=0, help="Steps shown of a single run; 0 = all.")] = SHOWN_STEPS,
    mutant: Annotated[str | None, typer.Option("--mutant", help="With this planted bug applied.")] = None,
    json: JsonOption = False,
) -> None:
    """Run the simulator: the same seed gives the same steps. Status 1 if an invariant does not hold."""
    _find_the_tests()
    # By name: the package must not know its tests.
    MUTANTS = import_module("tests.simulator.mutants").MUTANTS  # noqa: N806
    run_seed = import_module("tests.simulator.run").run_seed

    planted = next((one for one in MUTANTS if one.name == mutant), None)
    if mutant is not None and planted is None:
        raise SpiceError(
            "No such planted bug",
            f"{mutant!r} is none of them",
            where="--mutant",
            allowed=[one.name for one in MUTANTS],
        )
    failed, documents = 0, []
    with planted.applied() if planted is not None else nullcontext():
        for number in range(seed, seed + seeds):
            run = run_seed(number)
            failed += not run.ok
            documents.append(
                {
                    "seed": number,
                    "ok": run.ok,
                    "steps": run.steps,
                    "records": run.records,
                    "violation": None if run.ok else str(run.violation),
                    "faults": dict(sorted(run.hit.items())),
                }
            )
            if not json and (seeds == 1 or not run.ok):
                lines = run.trace.splitlines()
                say("\n".join(lines[-steps:] if steps else lines))
            if not json:
                say(f"seed {number}: {'ok' if run.ok else run.violation}, {run.steps} steps, {run.records} records")
    if json:
        print_json({"runs": documents, "failed": failed})
    raise typer.Exit(1 if failed else 0)


def _find_the_tests() -> None:
    """The simulator is not in the package: it spoils code and pretends to be a disk."""
    if not (PROJECT_ROOT / "tests" / "simulator" / "run.py").is_file() or find_spec("greenlet") is None:
        raise SpiceError(
            "The simulator is not here",
            "it belongs to the tests: run this in a checkout, with the test group installed (make simulate)",
            where="spice simulate",
        )
    if str(PROJECT_ROOT) not in sys.path:
        sys.path.insert(0, str(PROJECT_ROOT))
