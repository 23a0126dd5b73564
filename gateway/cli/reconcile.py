"""`spice reconcile`: do the tables, the log and Dagster's records of a home agree?"""

from typing import Annotated

import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, print_json, say
from gateway.domains import domains, the_domain


def reconcile(
    repair: Annotated[
        bool, typer.Option("--repair", help="Do what runs died before: append envelopes, tell Dagster.")
    ] = False,
    domain: DomainOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compare tables, log and Dagster's materializations; status 1 if they differ (after a repair: still differ)."""
    from gateway.reconciling import compare, document, mend
    from ontology_assets.reconciling.difference import lines

    chosen = domains() if domain is None else [the_domain(domain)]
    if repair:
        done = [(one.after, one.mended) for one in mend(home_of(home), chosen)]
    else:
        done = [(found, []) for found in compare(home_of(home), chosen)]
    if json:
        print_json([document(found, mended) for found, mended in done])
    else:
        for found, mended in done:
            counts = ", ".join(f"{count:,} {name}" for name, count in found.compared.items())
            verdict = "differ" if found.differences else "agree"
            say(f"{found.domain}: {counts} {verdict}")
            for line in lines(mended):
                say(f"mended: {line}")
            for line in lines(found.differences):
                say(line)
            for one in sorted(found.at_work):
                say(f"at work, not looked at: {one}")
    raise typer.Exit(any(found.differences for found, _ in done))
