"""One turn of the whole loop: serve the champion, send it real rows, watch what it answered.

The traffic is the labelled rows that follow the holdout, which nothing was trained on; a use case
without event times sends its holdout.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput, Refused
from contract.tables import quoted
from contract.use_case import TimeSplit, UseCase
from pipelines import cli
from pipelines.console import count, summary, working
from pipelines.raw import valid_rows
from pipelines.registry import Version, champion_of
from pipelines.service import checked, free_port, post_rows, request_rows, service
from pipelines.step import latest_run, load_result
from pipelines.validate import STEP as VALIDATE
from pipelines.validate import Validated
from pipelines.windows import local_midnight
from pipelines.workspace import Workspace, open_workspace

TRAFFIC_ROWS = 2000
WINDOW_DAYS = 31


@dataclass(frozen=True)
class Window:
    """Days [from, until) of traffic; none: all there is."""

    start: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class Sent:
    """What was asked over HTTP and answered."""

    example: dict[str, Any]
    rows: int
    already: int


def traffic_window(use_case: UseCase) -> Window:
    """The month that follows the holdout."""
    split = use_case.split
    if isinstance(split, TimeSplit) and split.holdout_until:
        start = split.holdout_until
        return Window(start, (start + timedelta(days=WINDOW_DAYS)).replace(day=1))
    return Window()


def traffic(workspace: Workspace, validated: Validated, window: Window) -> pa.Table:
    """Seeded sample of the valid rows of a window, in order of time."""
    use_case = workspace.use_case
    rows = valid_rows(
        workspace.tables, use_case, validated.raw.version, validated.quarantine.version
    )
    if window.start and window.end and use_case.event_time:
        times = rows.column(use_case.event_time)
        start, end = (local_midnight(day, use_case.time_zone) for day in (window.start, window.end))
        rows = rows.filter(pc.and_(pc.greater_equal(times, start), pc.less(times, end)))
    n = min(TRAFFIC_ROWS, rows.num_rows)
    chosen = np.sort(np.random.default_rng(0).choice(rows.num_rows, n, replace=False))
    return rows.take(pa.array(chosen))


def send(workspace: Workspace, address: str, version: Version, rows: pa.Table) -> Sent:
    """Ask for one row by /predict, and for the traffic by /invocations unless it is logged."""
    use_case = workspace.use_case
    example = workspace.tables.read("holdout", order_by=use_case.keys).slice(0, 1)
    with httpx.Client(base_url=address, timeout=60) as client:
        asked = {"rows": request_rows(example, use_case)}
        answer = checked(client.post("/predict", json=asked))
    already = logged_rows(workspace, version, rows)
    if already < rows.num_rows:
        post_rows(address, use_case, rows)
    return Sent(answer.json(), rows.num_rows, already)


def logged_rows(workspace: Workspace, version: Version, rows: pa.Table) -> int:
    """How many of these rows the version has answered before."""
    if not workspace.tables.exists("predictions"):
        return 0
    key = workspace.use_case.keys[0]
    found = workspace.tables.query(
        f"SELECT DISTINCT {quoted(key)} AS key FROM t WHERE version = '{version.version}'",  # noqa: S608
        t=workspace.tables.open("predictions"),
    )
    return int(pc.sum(pc.is_in(rows.column(key), found.column("key"))).as_py() or 0)


def watch(use_case: str, root: str, window: Window) -> dict[str, Any]:
    """Run the monitoring command on the window; its JSON summary."""
    command = [sys.executable, "-m", "monitoring", "--use-case", use_case, "--json", "yes"]
    command += ["--root", root] if root else []
    if window.start and window.end:
        command += ["--from", window.start.isoformat(), "--until", window.end.isoformat()]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Refused(f"Monitoring ended with exit code {done.returncode}.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(use_case: cli.UseCaseOption = "flights", root: cli.RootOption = "") -> None:
    """Turn: serve the champion, send the month after the holdout, compare it."""
    started = time.monotonic()
    with open_workspace(use_case, root) as workspace:
        version = champion_of(workspace)
        if version is None:
            raise BadInput(f"{use_case} has no version in Production; make train comes first.")
        run_id = latest_run(workspace, VALIDATE)
        validated = load_result(workspace, VALIDATE, run_id)
        window = traffic_window(workspace.use_case)
        rows = traffic(workspace, validated, window)
        answering = service(use_case, root, free_port(), version.version)
        with working("starting the service"), answering as address:
            sent = send(workspace, address, version, rows)
        facts = _facts(workspace, version, validated, sent)
    with working("comparing the traffic with the reference"):
        report = watch(use_case, root, window)
    facts["drift report"] = _drift(report)
    facts["took"] = f"{time.monotonic() - started:.1f} s"
    look = {
        "runs, models and reports in the browser": "make ui",
        "answer over HTTP": "make serve",
        "tables and columns": f"python -m pipelines.datasets --use-case {use_case}",
    }
    summary(f"Fourcycle · {workspace.use_case.title}", facts, look)


def _facts(
    workspace: Workspace, version: Version, validated: Validated, sent: Sent
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
    return version.tags.get("evaluate_run", version.run_id)


def _drift(report: dict[str, Any]) -> str:
    drifted = ", ".join(report.get("columns_drifted", [])) or "none"
    return f"{report['status']}; columns drifted: {drifted}; {report.get('report', '')}"


if __name__ == "__main__":
    cli.run(main)
