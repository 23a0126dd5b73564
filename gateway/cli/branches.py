"""`spice branches`: branches of the tables, what differs on them, and their end."""

from typing import Annotated

import typer

from gateway.cli.common import HomeOption, JsonOption, home_of, print_json, say, table

app = typer.Typer(no_args_is_help=True, help="Branches of the tables: list, diff, drop.")
RefArgument = Annotated[str, typer.Argument(help="A branch, or main.")]


@app.command("list")
def list_all(home: HomeOption = None, json: JsonOption = False) -> None:
    """Every branch, and the tables that are not as they were when it was made."""
    from resources.lake.local import LocalLake

    found = LocalLake(home_of(home).lake).branches.every()
    if json:
        names = ("name", "commit", "created_at", "changed", "promoted")
        print_json([{name: getattr(one, name) for name in names} for one in found])
        return
    if not found:
        say("No branches; `spice pipeline build NAME --branch B` makes one.")
        return
    rows = [[one.name, f"{one.created_at[:19]}Z", ", ".join(one.changed) or "nothing"] for one in found]
    say(table(["branch", "made", "changed"], rows))


@app.command()
def diff(
    before: RefArgument,
    after: RefArgument,
    of: Annotated[str | None, typer.Option("--table", help="Compare the rows of this table, by --key.")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="Column of the key; once for each.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows to show.")] = 20,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """The tables that differ between two branches; with --table and --key the rows added, changed and removed."""
    from gateway.branch_diffs import row_diff
    from resources.lake.local import LocalLake

    branches = LocalLake(home_of(home).lake).branches
    if of is not None:
        found = row_diff(branches.at(before), branches.at(after), of, key or [], rows)
        if json:
            print_json(found.document())
            return
        say(f"{of}: {found.added:,} rows added, {found.changed:,} changed, {found.removed:,} removed.")
        if found.sample:
            say(table(["", *found.columns], found.sample))
        return
    changes = branches.changes(before, after)
    if json:
        print_json([{"table": one.table, "kind": one.kind, "partitions": one.partitions} for one in changes])
        return
    if not changes:
        say(f"{before} and {after} have the same tables.")
        return
    said = [[one.table, one.kind, len(one.partitions), ", ".join(one.partitions[:3])] for one in changes]
    say(table(["table", "", "partitions", "e.g."], said, right={2}))


@app.command()
def drop(
    name: Annotated[str, typer.Argument(help="A branch.")], home: HomeOption = None, json: JsonOption = False
) -> None:
    """Forget a branch. Its files are removed a day later, by `spice doctor --prune`."""
    from resources.lake.local import LocalLake

    LocalLake(home_of(home).lake).branches.drop(name)
    if json:
        print_json({"dropped": name})
    else:
        say(f"branch {name} is gone; main was not touched.")
