"""`spice run`, `spice dev`: the main job, and the Dagster UI with everything that follows the log."""

from typing import Annotated, Any

import typer

from gateway.cli.common import HomeOption, JsonOption, home_of, note, print_json, say
from gateway.domains import the_domain
from resources.addresses import DAGSTER_PORT, GATEWAY_PORT


def run(
    domain: Annotated[str | None, typer.Option("--domain", help="Domain; its job has the same name.")] = None,
    partitions: Annotated[str | None, typer.Option("--partitions", help="A..B or one key; default: all.")] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Run a domain's main job, then bring the topic and the read models to the end of the log."""
    from gateway.home_format import check_format
    from gateway.main_job import run_main_job
    from gateway.sample import infer_types

    place, chosen = home_of(home), the_domain(domain)
    check_format(place)
    for name in infer_types(place, chosen):
        note(f"{name}: types inferred and kept in types.lock")
    outcome = run_main_job(place, chosen, partitions, say=note)
    if json:
        print_json(_document(outcome))
        return
    say(
        f"run {outcome.run_id}: {outcome.events} events appended in {outcome.seconds:.1f} s; log at {outcome.position}."
    )


def _document(outcome: Any) -> dict[str, Any]:
    return {
        "run_id": outcome.run_id,
        "events": outcome.events,
        "by_type": outcome.by_type,
        "position": outcome.position,
        "lag": outcome.lag,
        "seconds": outcome.seconds,
    }


def dev(
    home: HomeOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port of the Dagster UI; the next free one is taken if it is busy.")
    ] = DAGSTER_PORT,
    gateway_port: Annotated[
        int, typer.Option(help="Port of the HTTP API and the explorer; the next free one is taken if it is busy.")
    ] = GATEWAY_PORT,
) -> None:
    """Dagster UI, daemon, sensors and followers, HTTP API and explorer on this home, until Ctrl-C."""
    from gateway.dev_main import become_dev

    become_dev(home_of(home), host, port, gateway_port)
