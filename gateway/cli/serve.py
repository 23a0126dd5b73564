"""`spice serve`: the HTTP API and the explorer, without Dagster."""

import os
from typing import Annotated

import typer

from gateway.cli.common import HomeOption, home_of, note
from resources.addresses import GATEWAY_PORT, GATEWAY_URL


def serve(
    home: HomeOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; the next free one is taken if it is busy.")] = GATEWAY_PORT,
) -> None:
    """HTTP API and explorer on this home, until Ctrl-C."""
    from gateway.api_server import project_definitions
    from gateway.api_server import serve as answer
    from gateway.home_format import check_format
    from gateway.ports import choose_port, url_of
    from gateway.web_guard import is_loopback

    place = home_of(home)
    check_format(place)
    chosen = choose_port(port, host, "--port", note)
    if not is_loopback(host):
        note(f"Warning: {host} is reached by other machines, and the gateway has no login.")
    os.environ.setdefault(GATEWAY_URL, url_of(host, chosen))
    note(f"Explorer and HTTP API: {url_of(host, chosen)}   (Ctrl-C stops it)")
    answer(place, host, chosen, project_definitions())
