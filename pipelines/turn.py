"""One turn of the whole loop: serve the champion, send it real rows, watch what it answered.

The traffic is the labelled rows that follow the holdout, which nothing was trained on; a use case
without event times sends its holdout.
"""

import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pyarrow as pa

from contract.errors import BadInput, Refused
from contract.processes import run_to_end
from contract.use_case.model import TimeSplit, UseCase
from monitoring.windows.declared import period
from monitoring.windows.versions import read_served
from pipelines.data.after_holdout import Days, drawn, unanswered, within
from pipelines.data.validated import Validated
from pipelines.registry.versions import Version, champion_of
from pipelines.replaying.service_process import checked, free_port, post_rows, request_rows, service
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary, working
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.scheduling.due import running_window
from pipelines.scheduling.overview.publish import log as log_overview
from pipelines.validate import newest_valid
from tracking.tags import EVALUATE_RUN_TAG

TRAFFIC_ROWS = 2000


@dataclass(frozen=True)
class TrafficSent:
    """What was asked over HTTP and answered."""

    example: dict[str, Any]
    rows: int
    already: int


def month_after_holdout(use_case: UseCase) -> Days | None:
    """What was not there yet when the model was made; None without event times."""
    split = use_case.split
    if isinstance(split, TimeSplit) and split.holdout_until:
        return Days(split.holdout_until, period(split.holdout_until, "month")[1])
    return None


def _today(use_case: UseCase) -> Days | None:
    """The window that still runs, where rows have the time at which they are asked."""
    if use_case.event_time:
        return None
    return Days(*running_window(datetime.now(UTC), use_case))


def send(workspace: Workspace, address: str, version: Version, rows: pa.Table) -> TrafficSent:
    """Ask for one row by /predict, and for the traffic by /invocations, where it is not logged."""
    use_case = workspace.use_case
    example = workspace.tables.read("holdout", order_by=use_case.keys).slice(0, 1)
    with httpx.Client(base_url=address, timeout=60) as client:
        asked = {"rows": request_rows(example, use_case)}
        answer = checked(client.post("/predict", json=asked))
    missing = unanswered(workspace, rows, version.version)
    post_rows(address, use_case, missing)
    return TrafficSent(answer.json(), rows.num_rows, rows.num_rows - missing.num_rows)


def watch(use_case: str, root: str, days: Days | None) -> dict[str, Any]:
    """Run the monitoring command on these days; its JSON summary."""
    command = [sys.executable, "-m", "monitoring", "--use-case", use_case, "--json", "yes"]
    command += ["--root", root] if root else []
    if days:
        command += ["--from", days.start.isoformat(), "--until", days.end.isoformat()]
    monitoring = run_to_end(command, show_errors=True)
    if monitoring.code:
        raise Refused(f"Monitoring ended with exit code {monitoring.code}.")
    report: dict[str, Any] = json.loads(monitoring.output)
    return report


def main(use_case: cli.UseCaseOption = "flights", root: cli.RootOption = "") -> None:
    """Turn: serve the champion, send the month after the holdout, compare it."""
    started = time.monotonic()
    with open_workspace(use_case, root) as workspace:
        version = champion_of(workspace)
        if version is None:
            raise BadInput(f"{use_case} has no version in Production; make train comes first.")
        validated, rows = newest_valid(workspace)
        # A retrained version has another holdout than the file declares.
        made_with = read_served(workspace.client, workspace.use_case, version.version).use_case
        days = month_after_holdout(made_with)
        rows = drawn(within(rows, days, workspace.use_case) if days else rows, TRAFFIC_ROWS)
        answering = service(use_case, root, free_port(), version.version)
        with working("starting the service"), answering as address:
            sent = send(workspace, address, version, rows)
        facts = _facts(workspace, version, validated, sent)
    with working("comparing the traffic with the reference"):
        report = watch(use_case, root, days or _today(workspace.use_case))
    log_overview(workspace.settings, workspace.client, workspace.use_case.name)
    facts["drift report"] = _drift(report)
    facts["took"] = f"{time.monotonic() - started:.1f} s"
    look = {
        "runs, models and reports in the browser": "make ui",
        "answer over HTTP": "make serve",
        "tables and columns": f"python -m pipelines.datasets --use-case {use_case}",
    }
    summary(f"Fourcycle · {workspace.use_case.title}", facts, look)


def _facts(
    workspace: Workspace, version: Version, validated: Validated, sent: TrafficSent
) -> dict[str, str]:
    metrics = workspace.client.get_run(evaluate_run(workspace, version)).data.metrics
    names = sorted(name for name in metrics if f"{name}_low" in metrics)
    main = f"holdout/{workspace.use_case.evaluation.metric}"
    names.sort(key=lambda name: name != main)
    figures = [
        f"{name.removeprefix('holdout/')} {metrics[name]:.3f} "
        f"[{metrics[f'{name}_low']:.3f}, {metrics[f'{name}_high']:.3f}]"
        for name in names[:4]
    ]
    fresh = "answered now" if sent.already < sent.rows else "answered before, not sent again"
    return {
        "rows read": count(validated.raw.rows),
        "rows quarantined": count(validated.quarantine.rows),
        "expectations": f"{validated.expectations_passed} of {validated.expectations_total} passed",
        "holdout, 95 %": ", ".join(figures),
        "version": f"{version.version} of {workspace.model_name}, stage {version.stage}",
        "prediction": json.dumps(sent.example)[:400],
        "traffic": f"{count(sent.rows)} rows {fresh}",
    }


def evaluate_run(workspace: Workspace, version: Version) -> str:
    """The run whose metrics are those of the version."""
    return version.tags.get(EVALUATE_RUN_TAG, version.train_run)


def _drift(report: dict[str, Any]) -> str:
    drifted = ", ".join(report.get("columns_drifted", [])) or "none"
    return f"{report['status']}; columns drifted: {drifted}; {report.get('report', '')}"


if __name__ == "__main__":
    cli.run(main)
