"""One turn of the whole loop: serve the champion, send it real rows, watch what it answered.

The traffic is the month of labelled rows that follows the holdout, where the use case says when its
holdout ends; else the holdout's own rows in their order, which nothing was trained on either.
"""

import json
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput, FourcycleError, Refused
from contract.hints import typed
from contract.processes import run_to_end
from contract.use_case.model import UseCase
from contract.use_case.sections.split import TimeSplit
from monitoring.windows.declared import period
from monitoring.windows.versions import read_served
from pipelines.data.after_holdout import Days, drawn, unanswered, within
from pipelines.data.validated import Validated
from pipelines.gate import PASSED
from pipelines.registry.versions import Version, challenger_of, champion_of
from pipelines.replaying.service_process import checked, free_port, post_rows, request_rows, service
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary, working
from pipelines.runtime.plot_address import errors_plot
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.scheduling.due import running_window
from pipelines.scheduling.overview.publish import log as log_overview
from pipelines.validate import newest_valid
from tracking.tags import EVALUATE_RUN_TAG, GATE_REASONS_TAG, GATE_TAG, table_version_tag

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


def traffic_of(workspace: Workspace, holdout: pa.Table) -> tuple[pa.Table, Days]:
    """The rows to send, at most 2,000, and the days in which their answers will stand."""
    use_case = workspace.use_case
    if days := month_after_holdout(use_case):
        _, rows = newest_valid(workspace)
        return drawn(within(rows, days, use_case), TRAFFIC_ROWS), days
    rows = holdout.slice(0, TRAFFIC_ROWS)
    return rows, days_of(use_case, rows)


def days_of(use_case: UseCase, rows: pa.Table) -> Days:
    """The days in which answers to these rows stand."""
    if not use_case.event_time:  # the window that still runs: they are asked today
        return Days(*running_window(datetime.now(UTC), use_case))
    ends = pc.min_max(rows.column(use_case.event_time)).as_py()
    first, last = (ends[end].astimezone(use_case.zone).date() for end in ("min", "max"))
    return Days(first, last + timedelta(days=1))


def send(workspace: Workspace, address: str, version: Version, rows: pa.Table) -> TrafficSent:
    """Ask for the first row by /predict, and for the others by /invocations, where it is not
    logged."""
    use_case, example = workspace.use_case, rows.slice(0, 1)
    with httpx.Client(base_url=address, timeout=60) as client:
        asked = {"rows": request_rows(example, use_case)}
        answer = checked(client.post("/predict", json=asked))
    others = rows.slice(1)
    missing = unanswered(workspace, others, version.version)
    post_rows(address, use_case, missing)
    return TrafficSent(answer.json(), rows.num_rows, others.num_rows - missing.num_rows)


def watch(use_case: str, root: str, days: Days) -> dict[str, Any]:
    """Run the monitoring command on these days; its JSON summary."""
    command = [sys.executable, "-m", "monitoring", "--use-case", use_case, "--json", "yes"]
    command += ["--root", root] if root else []
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
            raise _not_live(workspace, use_case)
        validated, _ = newest_valid(workspace)
        # The champion may be older than the file: other columns, and, retrained, another holdout.
        served = read_served(workspace.client, workspace.use_case, version.version)
        made_with = replace(workspace, use_case=served.use_case)
        holdout = holdout_of(made_with, version)
        rows, days = traffic_of(made_with, holdout)
        answering = service(use_case, root, free_port(), version.version)
        with working("starting the service"), answering as address:
            sent = send(made_with, address, version, rows)
        facts = _facts(workspace, version, validated, sent)
    with working("comparing the traffic with the reference"):
        report = watch(use_case, root, days)
    log_overview(workspace.settings, workspace.client, workspace.use_case.name)
    facts["drift report"] = _drift(report)
    facts["took"] = f"{time.monotonic() - started:.1f} s"
    look = {
        "runs, models and reports in the browser": typed("ui"),
        "answer over HTTP, and a form to try it": typed("serve", use_case),
        "every move of a version, and why": typed("history", use_case),
        "tables and columns": typed("datasets", use_case),
    }
    summary(f"Fourcycle · {workspace.use_case.title}", facts, look)


def holdout_of(workspace: Workspace, version: Version) -> pa.Table:
    """The rows that a version was measured on, in the order of time and key."""
    use_case, at = workspace.use_case, int(version.tags[table_version_tag("holdout")])
    time = [use_case.event_time] if use_case.event_time else []
    return workspace.tables.read("holdout", at, order_by=[*time, *use_case.row_keys])


def _not_live(workspace: Workspace, use_case: str) -> FourcycleError:
    """Why there is nothing to serve: what the gate said, or that nothing was trained."""
    newest = challenger_of(workspace)
    if newest is None or not (reasons := newest.tags.get(GATE_REASONS_TAG)):
        first = typed("main", use_case)
        return BadInput(f"{use_case} has no version in Production; {first} comes first.")
    if newest.tags.get(GATE_TAG) == PASSED:
        return Refused(f"Version {newest.version} passed the gate and waits for an approval.")
    return Refused(
        f"{use_case} has no version in Production, for the gate refused version {newest.version}: "
        f"{reasons}. Change what it names in the file, then {typed('main', use_case)}"
    )


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
    run = evaluate_run(workspace, version)
    return {
        "rows read": count(validated.raw.rows),
        "rows quarantined": count(validated.quarantine.rows),
        "expectations": f"{validated.expectations_passed} of {validated.expectations_total} passed",
        "holdout, 95 %": ", ".join(figures),
        "version": f"{version.version} of {workspace.model_name}, stage {version.stage}",
        "prediction": json.dumps(sent.example)[:400],
        "traffic": f"{count(sent.rows)} rows {fresh}",
        **errors_plot(workspace.use_case, workspace.settings, workspace.experiment_id, run),
    }


def evaluate_run(workspace: Workspace, version: Version) -> str:
    """The run whose metrics are those of the version."""
    return version.tags.get(EVALUATE_RUN_TAG, version.train_run)


def _drift(report: dict[str, Any]) -> str:
    drifted = ", ".join(report.get("columns_drifted", [])) or "none"
    return f"{report['status']}; columns drifted: {drifted}; {report.get('report', '')}"


if __name__ == "__main__":
    cli.run(main)
