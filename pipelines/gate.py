"""Gate: decide whether a version may reach Production, and write down why. Fails closed.

Gathers evidence, decides, records: the decision stands on the version with the champion that it was
compared with, and the whole evidence on the gate's run. docs/gate.md explains the checks.
"""

from functools import partial
from typing import Annotated

import mlflow
import typer

from contract.errors import BadInput, Refused
from contract.names import PRODUCTION
from pipelines.evaluate import NONE
from pipelines.registry.move import refresh
from pipelines.registry.versions import Version, challenger_of, champion_of, tag
from pipelines.release.decision import decide
from pipelines.release.evidence import EvidenceCollector, gather, required_tag
from pipelines.release.gate_evidence import GateEvidence
from pipelines.release.gate_report import publish
from pipelines.runtime import cli
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.validate import validation_of
from tracking.tags import (
    GATE_ALLOW_BREAKING_TAG,
    GATE_CHAMPION_TAG,
    GATE_REASONS_TAG,
    GATE_RUN_TAG,
    GATE_TAG,
    PACKAGE_TAG,
    table_hash_tag,
)

VersionOption = Annotated[str, typer.Option(help="Version number; empty: the challenger.")]
AllowBreakingOption = Annotated[
    str, typer.Option(help="yes: callers of the champion may have to change; it is recorded.")
]
PASSED, REFUSED, UNDECIDED = "passed", "refused", "undecided"
LONGEST_TAG = 4900  # of a version's tag, in every store


class Gated(Result):
    """The decision on one version, and the champion that it was compared with."""

    version: str
    champion: str  # or none
    passed: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def line(self) -> str:
        warned = f"; warning: {'; '.join(self.warnings)}" if self.warnings else ""
        if not self.passed:
            return f"version {self.version} {REFUSED}: {'; '.join(self.reasons)}{warned}"
        others = f"all {len(self.reasons) - 1} other checks passed"
        return f"version {self.version} {PASSED}: {self.reasons[0]}; {others}{warned}"


STEP = Step("gate", Gated, ("gates", "evaluation"))


def gate(
    workspace: Workspace, version: Version, allow_breaking: bool = False, reuse: bool = False
) -> Done[Gated]:
    """Decide on a version and write the decision to its run and its tags.

    With `reuse`, a version that passed by the same rules and is in Production already is not
    measured again, since nothing is to be decided. Any other decision is made anew.
    """
    settled = version.stage == PRODUCTION and version.tags.get(GATE_TAG) == PASSED
    inputs = {name: version.tags.get(name, "") for name in (PACKAGE_TAG, table_hash_tag("holdout"))}
    decide_now = partial(_gate, workspace, version, allow_breaking)
    return execute(workspace, STEP, decide_now, inputs, reuse=reuse and settled)


def opponent_of(workspace: Workspace, version: Version) -> Version | None:
    """The champion; for the champion itself, the version it was compared with when it passed."""
    champion = champion_of(workspace)
    if champion is None or champion.version != version.version:
        return champion
    met = version.tags.get(GATE_CHAMPION_TAG, NONE)
    return None if met == NONE else Version.read(workspace, met)


def _gate(workspace: Workspace, version: Version, allow_breaking: bool) -> Gated:
    run = mlflow.active_run()
    # From here on an earlier decision no longer stands, wherever this process may die.
    tag(workspace, version, **{GATE_TAG: UNDECIDED})
    champion = opponent_of(workspace, version)
    evidence = evidence_of(workspace, version, champion)
    decision = decide(workspace.use_case.gates, evidence, allow_breaking)
    met = champion.version if champion else NONE
    publish(workspace.use_case.gates, evidence, decision)
    tag(
        workspace,
        version,
        **{
            GATE_REASONS_TAG: "; ".join(decision.reasons)[:LONGEST_TAG],
            GATE_CHAMPION_TAG: met,
            GATE_RUN_TAG: run.info.run_id if run else "",
            GATE_ALLOW_BREAKING_TAG: "yes" if allow_breaking else "no",
            GATE_TAG: PASSED if decision.passed else REFUSED,
        },
    )
    return Gated(
        version=version.version,
        champion=met,
        passed=decision.passed,
        reasons=decision.reasons,
        warnings=decision.warnings,
    )


def evidence_of(workspace: Workspace, version: Version, champion: Version | None) -> GateEvidence:
    """All that the gate asks of a version: how its data was validated, and what is measured."""
    attempt = EvidenceCollector()
    validation = attempt(
        "its validation is not known",
        lambda: validation_of(workspace, required_tag(version, table_hash_tag("raw"))).line(),
    )
    return gather(attempt, workspace, version, champion, validation)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
    allow_breaking: AllowBreakingOption = "",
) -> None:
    """Gate: decide whether a version may reach Production; exit code 1 is a no."""
    allowed = cli.flag(allow_breaking)
    with open_workspace(use_case, root) as workspace:
        asked = Version.read(workspace, version) if version else challenger_of(workspace)
        if asked is None:
            raise BadInput(f"{workspace.model_name!r} has no challenger; name a version.")
        passed = gate(workspace, asked, allowed).result.passed
        refresh(workspace)  # the registry page says what the gate said
        if not passed:
            raise Refused(f"Version {asked.version} may not reach Production.")


if __name__ == "__main__":
    cli.run(main)
