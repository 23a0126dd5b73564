"""`spice sources`: the files that people put in, and the samples that packages ship."""

import typer

from gateway.cli.common import DomainOption, HomeOption, home_of, say
from gateway.domains import the_domain

app = typer.Typer(no_args_is_help=True, help="Source files of a domain.")


@app.command()
def fill(domain: DomainOption = None, home: HomeOption = None) -> None:
    """Copy the sample files that an installed package ships into the home, where they are missing."""
    from gateway.sample import fill_sources

    for line in fill_sources(home_of(home), the_domain(domain)):
        say(line)
