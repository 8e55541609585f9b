"""The one long run of a version: its figures over the windows as lines, and its newest verdict."""

import time

from mlflow import MlflowClient

from contract.markdown import plain, run_link
from tracking.tags import NOTE_TAG, STEP_TAG, USE_CASE_TAG, VERSION_TAG

STAMPED = "figures carry the window's end as their time: choose Time (wall) as the x-axis"


def timeline_run(client: MlflowClient, experiment_id: str, use_case: str, version: str) -> str:
    """Id of the run of a version, made at the first need, be it before the first window."""
    found = client.search_runs(
        [experiment_id],
        f"tags.{STEP_TAG} = 'timeline' and tags.{VERSION_TAG} = '{version}'",
        max_results=1,
    )
    if found:
        return str(found[0].info.run_id)
    tags = {
        STEP_TAG: "timeline",
        USE_CASE_TAG: use_case,
        VERSION_TAG: version,
        NOTE_TAG: f"No window of version {version} has been judged yet.",
    }
    name = f"timeline · version {version}"
    run = client.create_run(experiment_id, int(time.time() * 1000), tags, name)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def newest_note(
    version: str, state: str, window: str, reasons: tuple[str, ...], run: str, experiment_id: str
) -> str:
    """What a person reads first there: the newest verdict, and the way to all of it."""
    report = run_link("its report", run, experiment_id)
    return (
        f"**Newest verdict: {state}**, {plain(window)}: {plain(reasons[0])} {report}\n\n"
        f"All windows of version {version} in one run; {STAMPED}."
    )
