"""`spice topic`: what consumers of the topic get."""

import os
import sys
from collections.abc import Iterable
from contextlib import closing
from typing import Annotated, Any

import orjson
import typer

from gateway.cli.common import DomainOption, HomeOption, JsonOption, home_of, say
from gateway.domains import domains, the_domain
from gateway.topic_reading import NEWEST, Wanted, messages, newest, open_topic, position_from
from ontology_assets.cloudevents import event_document, time_text

DEFAULT_LIMIT = 20
app = typer.Typer(no_args_is_help=True, help="The topic: CloudEvents of every event.")


@app.callback()
def topic() -> None:
    """The topic: CloudEvents of every event."""


@app.command()
def tail(
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="POSITION|TIME|newest",
            help="A position of the domain; a time (ISO 8601): what was recorded then or later; newest: the last "
            "ones, with --follow what comes from now on.",
        ),
    ] = NEWEST,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as messages come, until Ctrl-C.")] = False,
    event_type: Annotated[str | None, typer.Option("--type", help="Only this event type.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Only this message key (an object's id).")] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Messages to show at most; 0 = no limit. Default: 20, none with --follow.")
    ] = None,
    domain: DomainOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Messages of the topic, one a line: offset, domain and position, type, subject and sequence, time.

    With --json each line is a CloudEvent in the JSON format. Ctrl-C ends it with status 130.
    """
    place = home_of(home)
    at_most = limit if limit is not None else 0 if follow else DEFAULT_LIMIT
    from_newest = start == NEWEST
    several = domain is None and from_newest and len(domains()) > 1
    name = None if several else the_domain(domain).name
    with closing(open_topic(place)) as opened:
        wanted = Wanted(name, 1, event_type, key)
        if from_newest and not follow:
            found: Iterable[dict[str, Any]] = newest(opened, wanted, at_most)
        else:
            position = 1 if name is None or from_newest else position_from(place, name, start)
            wanted = Wanted(name, position, event_type, key)
            # A domain's first p - 1 messages are before its message p, so the offset can't be smaller.
            offset = opened.end() if from_newest else max(0, position - 1)
            found = messages(place, opened, wanted, offset=offset, follow=follow)
        _show(found, at_most, json=json)


def _show(found: Iterable[dict[str, Any]], at_most: int, *, json: bool) -> None:
    try:
        for shown, message in enumerate(found, start=1):
            say(orjson.dumps(event_document(message)).decode() if json else line_of(message))
            sys.stdout.flush()
            if shown == at_most:
                return
    except BrokenPipeError:  # `| head` has seen enough; what is buffered still must go nowhere quietly
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def line_of(message: dict[str, Any]) -> str:
    """A message for people."""
    return (
        f"{message['offset']:>9,}  {message['ce_domain']} {message['ce_position']:,}  {message['ce_type']}  "
        f"{message['ce_subject']} #{message['ce_sequence']}  {time_text(message['ce_time'])}"
    )
