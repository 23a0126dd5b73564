"""Why a run failed, in words for a terminal: each blocking check that is red, and each step that raised something."""

import re
from collections.abc import Sequence

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

OURS = re.compile(r"(?:resources|transforms|ontology_assets|orchestration)\.[\w.]+: ")
"""How Python begins the text of an error of ours."""


def failures(events: Sequence[dg.DagsterEvent]) -> list[str]:
    """One text each, checks first; what a check says of its step's error is not said twice."""
    checks = [text for event in events if (text := _of_check(event)) is not None]
    steps = [text for event in events if (text := _of_step(event)) is not None]
    return checks + [text for text in steps if not any(text.partition(": ")[2] in check for check in checks)]


def _of_check(event: dg.DagsterEvent) -> str | None:
    if event.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    check = event.asset_check_evaluation_data
    if check.passed or not check.blocking or check.severity != dg.AssetCheckSeverity.ERROR:
        return None
    return f"{check.asset_key.to_user_string()}, check {check.check_name}: {check.description or 'it failed.'}"


def _of_step(event: dg.DagsterEvent) -> str | None:
    """Our own error's text, which is made for people, else the innermost cause. A red check has told already."""
    if not event.is_step_failure:
        return None
    error = event.step_failure_data.error
    if error is None or error.cls_name == DagsterAssetCheckFailedError.__name__:
        return None
    chain = [error]
    while (cause := chain[-1].cause) is not None:
        chain.append(cause)
    texts = [one.message.strip() for one in chain]
    ours = next((text for text in texts if OURS.match(text)), None)
    return f"{event.step_key}: {OURS.sub('', ours, count=1) if ours else texts[-1]}"
