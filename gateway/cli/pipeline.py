"""`spice pipeline`: what a run would compute, a build on a branch, its promotion, a preview of any node."""

from typing import Annotated

import typer

from gateway.cli.common import HomeOption, JsonOption, home_of, note, print_json, say, table

app = typer.Typer(no_args_is_help=True, help="Pipelines: preview, plan, build on a branch, promote.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A pipeline, by its name in domain.yaml.")]
BranchOption = Annotated[str, typer.Option("--branch", help="Branch of the tables; made where there is none.")]
PartitionsOption = Annotated[str | None, typer.Option("--partitions", help="A..B or one key; default: all.")]
ApproveOption = Annotated[
    list[str] | None,
    typer.Option("--approve", help="A breaking change that is meant, as `plan` names it; once for each."),
]
ParameterOption = Annotated[
    list[str] | None, typer.Option("--param", help="name=value (or name alone for null); once for each parameter.")
]


@app.command()
def preview(
    name: NameArgument,
    node: Annotated[str | None, typer.Option("--node", help="A node or input; default: the output.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, max=10_000, help="How many rows to show.")] = 20,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            "--trace", help="COLUMN=VALUE of rows of the sampled input (_row=17 too) to follow; all must hold."
        ),
    ] = None,
    partition: Annotated[
        str | None, typer.Option("--partition", help="Partition to sample; default: the last.")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=1, max=100_000, help="Rows of the sample.")] = 1_000,
    branch: Annotated[str, typer.Option("--branch", help="Branch whose tables are read.")] = "main",
    param: ParameterOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Rows of any node on a sample, rows in and out of each node, and at which node a row is dropped, and why."""
    from gateway.cli.previews import show
    from gateway.previews import Asked
    from gateway.previews import preview as ask

    asked = Asked(name, branch, node, rows, partition, sample, trace or [], param or [])
    document = ask(home_of(home), asked, note)
    if json:
        print_json(document)
    else:
        show(document)


@app.command()
def plan(
    name: NameArgument,
    branch: Annotated[str, typer.Option("--branch", help="Plan for a branch instead of main.")] = "main",
    partitions: PartitionsOption = None,
    param: ParameterOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """What a run would compute and why, what it changes of the columns, and what is downstream. Runs nothing."""
    from gateway.pipelines import plan_of
    from transforms.parameters import assignments

    found = plan_of(home_of(home), name, branch, partitions, assignments(param or []))
    if json:
        print_json(found.document())
        return
    made = found.plan
    if not made.partitions:
        say(f"{name} on {branch}: nothing to compute; {made.unchanged:,} partitions are as the definition says.")
    else:
        known = f"about {made.seconds:.1f} s, as it took last" if made.seconds is not None else "time not known yet"
        say(
            f"{name} on {branch}: {len(made.partitions):,} partitions to compute, {made.unchanged:,} unchanged; "
            f"{made.rows:,} rows to read, {known}."
        )
        by_reason = [
            [reason, count, _span([one.partition for one in made.partitions if one.reason == reason])]
            for reason, count in made.reasons().items()
        ]
        say(table(["why", "partitions", "which"], by_reason, right={1}))
    if made.changes:
        say("columns")
        rows = [[one.name, "BREAKING" if one.breaking else "", one.text] for one in made.changes]
        say(table(["change", "", "what"], rows))
    if made.partitions and found.downstream:
        say(f"downstream: {', '.join(found.downstream)}")


@app.command()
def build(
    name: NameArgument,
    branch: BranchOption,
    partitions: PartitionsOption = None,
    approve: ApproveOption = None,
    param: ParameterOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Compute and check the pipeline on a branch: the Dagster job build_NAME. Main does not change."""
    from gateway.pipelines import build as build_on
    from transforms.parameters import assignments

    outcome = build_on(
        home_of(home), name, branch, partitions, approve=approve or [], parameters=assignments(param or [])
    )
    report = outcome["reports"][f"transform/{name}/build"]
    if json:
        print_json({"run_id": outcome["run_id"], "seconds": outcome["seconds"], **report})
        return
    say(
        f"run {outcome['run_id']}: {report['partitions_changed']:,} of {report['partitions']:,} partitions computed on "
        f"branch {branch}, {report['rows_in']:,} rows in, {report['rows_out']:,} out, {outcome['seconds']:.1f} s."
    )
    if report["checks"]:
        say(table(["check", ""], [[check, said] for check, said in report["checks"].items()]))
    say(f"promote it: spice pipeline promote {name} --branch {branch}")


@app.command()
def promote(
    name: NameArgument,
    branch: Annotated[str, typer.Option("--branch", help="Branch that the pipeline was built on.")],
    approve: ApproveOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make what was built on a branch main's, if its checks passed and main has not moved. Computes nothing again."""
    from gateway.pipelines import promote as make_mains

    outcome = make_mains(home_of(home), name, branch, approve=approve or [])
    report = outcome["reports"][f"transform/{name}"]
    if json:
        print_json({key: outcome[key] for key in ("run_id", "seconds", "assets", "downstream")} | report)
        return
    before = " since an earlier run" if report["already"] else ""
    say(f"run {outcome['run_id']}: {', '.join(outcome['assets'])} of branch {branch} is main's now{before}.")
    if outcome["downstream"]:
        say(f"spice run brings what is downstream to it: {', '.join(outcome['downstream'])}")


def _span(keys: list[str]) -> str:
    if keys == [""]:
        return "the whole table"
    return f"{keys[0]} .. {keys[-1]}" if len(keys) > 3 else ", ".join(keys)
