"""What people hear of releases: the gate's no, a version that waits and for whom, moves by hand.

No trouble with a channel changes how a command ends.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.registry.description import approver
from pipelines.registry.versions import Version
from pipelines.runtime.console import console
from pipelines.runtime.workspace import Workspace
from tracking.tags import GATE_RUN_TAG

if TYPE_CHECKING:
    from monitoring.alerts.notice import Notice


def tell_gated(workspace: Workspace, version: Version, reasons: Sequence[str]) -> None:
    """The gate has spoken: `reasons` are those of its no, none after a yes."""
    from monitoring.alerts.notices import gate_refused

    report = _report(workspace, version)
    refused = gate_refused.refused(version.version, tuple(reasons), report)
    _tell(workspace, refused if reasons else gate_refused.passed())


def tell_waiting(workspace: Workspace, version: Version | None) -> None:
    """A version waits for approval, or, with None, nothing does any more."""
    from monitoring.alerts.notices import waits_for_approval

    if version is None:
        _tell(workspace, waits_for_approval.settled())
        return
    whom = approver(workspace.use_case.release, version.tags)
    _tell(workspace, waits_for_approval.waits(version.version, whom, _report(workspace, version)))


def _tell(workspace: Workspace, notice: "Notice") -> None:
    from monitoring.alerts.announce import tell
    from monitoring.alerts.notices.moved_by_hand import look

    by_hand = look(workspace.use_case, workspace.tables, datetime.now(UTC))
    told = [notice, *([by_hand] if by_hand else [])]
    tell(workspace.use_case, workspace.settings, _note, notices=told)


def _report(workspace: Workspace, version: Version) -> str:
    """The page of the gate's run in MLflow, among the runs of the pipeline; "" where none is."""
    from monitoring.report.publish import link

    run_id = version.tags.get(GATE_RUN_TAG, "")
    return str(link(workspace.experiment_id, run_id)) if run_id else ""


def _note(line: str) -> None:
    console().print(f"  {line}", markup=False)
