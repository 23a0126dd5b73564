"""`spice`: the command line. Each command lives in the module of its subject; heavy imports wait until needed.

Exit status: 0 done, 1 a check or a run failed, 2 a request that can't be answered as it is, 130 interrupted.
"""

import os
import sys
from typing import Annotated

import orjson
import typer

from resources.lean_arrow import keep_pandas_out

keep_pandas_out()  # before anything that uses pyarrow: half a second of every command

from gateway.cli import (  # noqa: E402
    branches,
    care,
    commands,
    deadletters,
    definitions,
    demo,
    events,
    init,
    lineage,
    objects,
    pipeline,
    projection,
    reconcile,
    relay,
    replay,
    run,
    serve,
    simulate,
    sources,
    topic,
)
from resources.errors import SpiceError  # noqa: E402

app = typer.Typer(
    name="spice",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Raw tables become typed objects; every change is an event; read models are rebuilt from the log and proved.",
)
app.add_typer(objects.app, name="objects")
app.add_typer(commands.app, name="commands")
app.add_typer(events.app, name="events")
app.add_typer(projection.app, name="projection")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(relay.app, name="relay")
app.add_typer(topic.app, name="topic")
app.add_typer(sources.app, name="sources")
app.add_typer(definitions.app, name="defs")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(branches.app, name="branches")
app.command("init")(init.init)
app.command("run")(run.run)
app.command("search")(objects.search)
app.command("graph")(objects.graph)
app.command("replay")(replay.replay)
app.command("lineage")(lineage.lineage)
app.command("demo")(demo.demo)
app.command("dev")(run.dev)
app.command("serve")(serve.serve)
app.command("doctor")(care.doctor)
app.command("reconcile")(reconcile.reconcile)
app.command("reset")(care.reset)
app.command("upgrade")(care.upgrade)
app.command("simulate")(simulate.simulate)


@app.callback()
def root(
    home: Annotated[str | None, typer.Option("--home", help="Data folder (default: $SPICE_HOME, else .spice).")] = None,
) -> None:
    """Options before the command."""
    if home:
        os.environ["SPICE_HOME"] = home


def main() -> int:
    """Entry point: a fault that a user can mend is one paragraph (or one problem document), never a traceback."""
    try:
        app()
    except SpiceError as error:
        as_json = "--json" in sys.argv
        sys.stderr.write((orjson.dumps(error.problem()).decode() if as_json else f"error: {error.text()}") + "\n")
        return 1 if error.status >= 500 else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
