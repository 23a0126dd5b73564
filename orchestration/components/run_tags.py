"""Tags on a run that lead from Dagster to the event log: which positions it appended. The way back is the run id in the
`metadata` of each event (`spice events tail --run`)."""

from collections.abc import Mapping, Sequence

import dagster as dg

from orchestration.run_log import Span, spans_of, text_of

DOMAIN = "spice/domain"
POSITIONS = "spice/positions"
"""`12..480`, or `none`. Of a run over several domains each has a tag of its own: `spice/positions.<domain>`."""
NONE = "none"


def tag_run(instance: dg.DagsterInstance, run_id: str, appended: Mapping[str, Sequence[Span]]) -> None:
    """Add positions by domain to what the run's tags say; a run's steps take turns, so nothing is lost between."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return
    tags = dict(run.tags)
    for domain, spans in appended.items():
        mine = tags.setdefault(DOMAIN, domain) == domain
        name = POSITIONS if mine else f"{POSITIONS}.{domain}"
        if spans or mine:
            tags[name] = text_of([*spans_of(tags.get(name, "")), *spans]) or NONE
    new = {name: value for name, value in tags.items() if run.tags.get(name) != value}
    if new:
        instance.add_run_tags(run_id, new)
