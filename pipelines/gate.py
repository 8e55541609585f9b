"""Gate: decide whether a version may reach Production. Fails closed: what is unknown is a no."""

import math
from collections.abc import Mapping
from typing import Annotated

import mlflow
import typer

from contract.errors import BadInput, Refused
from contract.use_case import Gates
from pipelines import cli
from pipelines.decision import GateDecision
from pipelines.evaluate import STEP as EVALUATE
from pipelines.registry import Version, challenger_of, champion_of, tag
from pipelines.step import Done, Result, Step, execute, latest_run, load_result
from pipelines.workspace import Workspace, open_workspace

VersionOption = Annotated[str, typer.Option(help="Version number; empty: the challenger.")]


class Gated(Result):
    """The decision on one version."""

    version: str
    passed: bool
    reasons: tuple[str, ...]

    def line(self) -> str:
        word = "passed" if self.passed else "refused"
        return f"version {self.version} {word}: {'; '.join(self.reasons)}"


STEP = Step("gate", Gated, cached=False)


def decide(gates: Gates, figures: Mapping[str, float]) -> GateDecision:
    """Compare measured figures with the declared limits; a missing or NaN figure is a refusal."""
    passed: list[str] = []
    failed: list[str] = []
    limits = [(n, v, ">=") for n, v in gates.minimum.items()]
    limits += [(n, v, "<=") for n, v in gates.maximum.items()]
    for name, limit, sign in limits:
        found = figures.get(name, math.nan)
        good = found >= limit if sign == ">=" else found <= limit
        (passed if good else failed).append(f"{name} {found:.4f}, {sign} {limit:g} is asked")
    if not limits:
        failed.append("the use case declares no gates.minimum or gates.maximum")
    return GateDecision(not failed, tuple(failed or passed))


def gate(workspace: Workspace, version: Version, figures: Mapping[str, float]) -> Done[Gated]:
    """Decide on a version and write the decision to its run and its tags."""
    return execute(workspace, STEP, lambda: _gate(workspace, version, figures))


def _gate(workspace: Workspace, version: Version, figures: Mapping[str, float]) -> Gated:
    decision = decide(workspace.use_case.gates, figures)
    tag(workspace, version, gate="passed" if decision.passed else "refused")
    tag(workspace, version, gate_reasons="; ".join(decision.reasons))
    champion, run = champion_of(workspace), mlflow.active_run()
    # A decision holds for the champion it was made against; promote compares.
    tag(workspace, version, gate_champion=champion.version if champion else "none")
    tag(workspace, version, gate_run=run.info.run_id if run else "")
    mlflow.set_tags({"model_version": version.version, "gate": str(decision.passed)})
    return Gated(version=version.version, passed=decision.passed, reasons=decision.reasons)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
) -> None:
    """Gate: decide whether a version may reach Production; exit code 1 is a no."""
    with open_workspace(use_case, root) as workspace:
        asked = Version.read(workspace, version) if version else challenger_of(workspace)
        if asked is None:
            raise BadInput(f"{workspace.model_name!r} has no challenger; name a version.")
        result = load_result(workspace, EVALUATE, evaluation_of(workspace, asked))
        figures = {name: figure.value for name, figure in result.figures.items()}
        if not gate(workspace, asked, figures).result.passed:
            raise Refused(f"Version {asked.version} may not reach Production.")


def evaluation_of(workspace: Workspace, version: Version) -> str:
    """The newest evaluation whose holdout and answers are those of the version."""
    known = version.tags.get("evaluate_run", "")
    return latest_run(workspace, EVALUATE, known)


if __name__ == "__main__":
    cli.run(main)
