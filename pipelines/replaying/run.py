"""The run of a replay in MLflow: its progress, its figures over time, its picture."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities import Metric, Run, RunStatus
from pydantic import ValidationError

from contract.errors import BadInput
from pipelines.data.days import local_midnight
from pipelines.replaying.progress import ReplayProgress, WindowProgress, headline, markdown
from pipelines.replaying.story import STORY_FILE
from pipelines.runtime.process_identity import process_identity
from pipelines.runtime.workspace import Workspace
from tracking.tags import NOTE_TAG, PROCESS_TAG, STEP_TAG

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "replay"
STATE_FILE = "replay.json"
PICTURE_FILE = "replay.png"


def take_up(workspace: Workspace, parameters: Mapping[str, str]) -> tuple[str, ReplayProgress]:
    """Id of the use case's replay and where it stands; BadInput where it was asked otherwise."""
    client, where = workspace.client, workspace.experiment_id
    runs = client.search_runs([where], f"tags.{STEP_TAG} = '{NAME}'", max_results=1)
    run = runs[0] if runs else client.create_run(where, tags={STEP_TAG: NAME}, run_name=NAME)
    run_id = str(run.info.run_id)
    _same(run, parameters)
    for name, value in parameters.items():
        client.log_param(run_id, name, value)  # the same again changes nothing
    client.set_tag(run_id, PROCESS_TAG, process_identity())
    client.update_run(run_id, status=RunStatus.to_string(RunStatus.RUNNING))
    return run_id, _state(workspace, run)


def _same(run: Run, parameters: Mapping[str, str]) -> None:
    logged = run.data.params
    other = [name for name, value in parameters.items() if logged.get(name, value) != value]
    if other:
        was = ", ".join(f"{name} {logged[name] or 'not given'}" for name in other)
        raise BadInput(
            f"These tables have seen a replay with {was}; a time is replayed once in a store. Ask "
            "for the same again, or name another store by MLFLOW_TRACKING_URI."
        )


def _state(workspace: Workspace, run: Run) -> ReplayProgress:
    files = {file.path for file in workspace.client.list_artifacts(run.info.run_id)}
    if STATE_FILE not in files:
        return ReplayProgress()
    try:
        text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{STATE_FILE}")
        return ReplayProgress.model_validate_json(text)
    except ValidationError:  # killed while it was written: everything is looked at once more
        return ReplayProgress()


def keep(workspace: Workspace, run_id: str, replayed: ReplayProgress) -> None:
    """Write down how far the replay came."""
    workspace.client.log_text(run_id, replayed.model_dump_json(indent=2), STATE_FILE)


def conclude(
    workspace: Workspace, run_id: str, replayed: ReplayProgress, figure: "Figure", story: str
) -> None:
    """Log the table, the figures over time, the picture and the story; end the run."""
    client = workspace.client
    parameters = client.get_run(run_id).data.params
    first = headline(replayed, workspace.use_case, parameters)
    note = f"{first}\n\n{markdown(replayed, workspace.use_case)}"
    client.set_tag(run_id, NOTE_TAG, note)
    client.log_batch(run_id, metrics=list(_metrics(workspace, replayed)))
    client.log_figure(run_id, figure, PICTURE_FILE)
    client.log_text(run_id, story, STORY_FILE)
    client.set_terminated(run_id)


def _metrics(workspace: Workspace, replayed: ReplayProgress) -> Iterator[Metric]:
    """Figures of each window at its end: choose Time (wall) as the x-axis."""
    zone = workspace.use_case.time_zone
    for step, window in enumerate(replayed.seen):
        at = int(local_midnight(window.end, zone).timestamp() * 1000)
        for name, value in _figures(window, workspace.use_case.evaluation.metric).items():
            if value is not None:
                yield Metric(name, value, at, step)


def _figures(window: WindowProgress, metric: str) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        "rows": window.rows,
        "label_mean": window.label_mean,
        f"first_version/{metric}": window.first_version,
    }
    if last := window.last:
        figures |= {
            f"estimated/{metric}": last.estimated,
            f"realised/{metric}": last.value,
            f"realised/{metric}_low": last.low,
            f"realised/{metric}_high": last.high,
        }
    return figures
