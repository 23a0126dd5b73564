"""`spice doctor`, `spice reset`, `spice upgrade`: the state of a home, and how to change it."""

from typing import Annotated, Any

import typer

from gateway.cli.common import HomeOption, JsonOption, home_of, print_json, say, table
from gateway.domains import domains

MB = 1_000_000


def doctor(
    home: HomeOption = None,
    json: JsonOption = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove old runs, replaced table files, orphans.")] = False,
) -> None:
    """What is configured, reachable, behind, and how much disk each part takes; advice."""
    from gateway.diagnosis import diagnose, prune_home

    place = home_of(home)
    freed = prune_home(place, domains()) if prune else None
    report = diagnose(place, domains())
    document: dict[str, Any] = {**report.document(), **({"pruned": freed} if freed is not None else {})}
    if json:
        print_json(document)
    else:
        say(f"home {place.root} (format {report.format})")
        say(
            table(
                ["part", "MB", "files"],
                [[p["part"], round(p["bytes"] / MB, 1), p["files"]] for p in report.disk],
                right={1, 2},
            )
        )
        say(table(["what", "state", "detail"], [[c["name"], c["state"], c["detail"]] for c in report.checks]))
        for line in freed or []:
            say(f"pruned: {line}")
        for line in report.advice:
            say(f"advice: {line}")
    raise typer.Exit(0 if report.ok else 1)


def reset(home: HomeOption = None, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove everything this product wrote into the home (sources stay). Asks first."""
    from gateway.home_care import reset as reset_home
    from gateway.home_care import reset_plan

    place = home_of(home)
    plan = reset_plan(place)
    say(f"This removes {plan.bytes / MB:,.1f} MB from {place.root}:")
    say(table(["part", "MB"], [[part.name, round(part.bytes / MB, 1)] for part in plan.removed], right={1}))
    if plan.kept:
        say(f"It keeps: {', '.join(plan.kept)}")
    if not yes and not typer.confirm("Remove?"):
        say("Nothing was removed.")
        raise typer.Exit(1)
    reset_home(place)
    say("Removed.")


def upgrade(
    home: HomeOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
) -> None:
    """Bring an older home to this version's format; a backup is made first."""
    from gateway.home_format import upgrade as upgrade_home

    done = upgrade_home(home_of(home), dry_run=dry_run)
    say(f"format {done.found}; {'would do' if dry_run else 'done'}: {', '.join(done.steps) or 'nothing'}")
    if done.backup:
        say(f"backup: {done.backup}")
