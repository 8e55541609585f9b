"""CI report: what a change does to the model, before anybody merges it.

Trains by the code at hand in a store that is thrown away, lets the gate decide about the package
that no registry knows, and writes one comment. Registry and ledger are read, never written.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from contract.addresses import SQLITE
from contract.errors import BadInput, FourcycleError, Refused, Unavailable
from contract.processes import run_to_end
from contract.settings import Settings, read_settings
from contract.unforeseen import sentence
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.data.rehearsal import Rehearsal, SampleOption, read_rehearsal
from pipelines.ingest import ingest
from pipelines.main import Candidate, make_candidate
from pipelines.model.model_card import model_card
from pipelines.package import ARTIFACT
from pipelines.register import lineage
from pipelines.registry.transitions import UNSTAGED
from pipelines.registry.versions import Version
from pipelines.release.decision import decide
from pipelines.release.evidence import EvidenceCollector, gather
from pipelines.release.pull_request import changes, github
from pipelines.release.pull_request.comment import Changes, Judged, Review, comment, marker
from pipelines.release.pull_request.opponent import Opponent, of_base, registered
from pipelines.runtime import cli
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.console import summary
from pipelines.runtime.git_commit import commit
from pipelines.runtime.step import step_run
from pipelines.runtime.workspace import Workspace, connected

LOCK = "requirements.lock"
CANDIDATE = "of this change"
JOB_SUMMARY = "GITHUB_STEP_SUMMARY"  # a file whose Markdown GitHub shows beside the job

BaseOption = Annotated[str, typer.Option(help="The branch that the change wants to join.")]
OutputOption = Annotated[str, typer.Option(help="File that the comment is written to.")]
PullRequestOption = Annotated[
    str,
    typer.Option(
        help="Number of the pull request to comment on, with GITHUB_TOKEN and GITHUB_REPOSITORY."
    ),
]


def review(reference: str, base: str, rehearsal: Rehearsal, settings: Settings) -> Review:
    """Train, measure and decide, all in a store of its own that is gone afterwards.

    Unavailable where a system that it needs is away; what else goes wrong is the review's to say.
    """
    with tempfile.TemporaryDirectory(prefix="fourcycle-review-") as name:
        scratch = Path(name)
        try:
            declared = load_use_case(reference)
        except BadInput as error:
            unread = Path(reference).stem
            return Review(unread, unread, commit()[0], f"the model of {base}", broken=str(error))
        opponent, against = _opponent(declared, reference, base, rehearsal, settings, scratch)
        own = {"tracking_uri": f"{SQLITE}{scratch / 'mlflow.db'}", "root": str(scratch / "data")}
        workspace = connected(rehearsal.of(declared), settings.model_copy(update=own), "training")
        attempt = _attempt(workspace, rehearsal, opponent)
        return Review(
            use_case=declared.name,
            title=declared.title,
            commit=commit()[0],
            against=against,
            judged=attempt.judged,
            broken=attempt.broken,
            sample=rehearsal.sample,
            changes=_changes(declared, attempt.card, opponent, base),
        )


@dataclass(frozen=True)
class ReviewedAttempt:
    """A candidate as it was judged, with its card; or why there is none."""

    judged: Judged | None = None
    card: str = ""
    broken: str = ""


def _attempt(
    workspace: Workspace, rehearsal: Rehearsal, opponent: Opponent | None
) -> ReviewedAttempt:
    try:
        with step_run(workspace, "main"):
            candidate = make_candidate(workspace, ingest(workspace, rehearsal))
        return ReviewedAttempt(_judged(workspace, candidate, opponent), _card(workspace, candidate))
    except Unavailable:
        raise
    except FourcycleError as error:
        return ReviewedAttempt(broken=str(error))
    except Exception as error:  # of any kind: a change may break whatever it likes
        return ReviewedAttempt(broken=sentence(error))


def _opponent(
    declared: UseCase,
    reference: str,
    base: str,
    rehearsal: Rehearsal,
    settings: Settings,
    scratch: Path,
) -> tuple[Opponent | None, str]:
    """Whom the change must beat, and in words; nobody where the base branch makes no model."""
    champion = registered(declared, settings, scratch / "champion")
    if champion:
        return champion, champion.origin
    words = ("--sample", str(rehearsal.sample)) if rehearsal.sample else ()
    try:
        trained = of_base(
            rehearsal.of(declared), reference, base, settings, scratch / "base", words
        )
    except Refused as nothing:
        return None, f"the baseline alone, for there is no other model ({nothing})"
    return trained, trained.origin


def _judged(workspace: Workspace, candidate: Candidate, opponent: Opponent | None) -> Judged:
    """What the gate says of a package that no registry knows."""
    tags = lineage(candidate.validated, candidate.trained, candidate.evaluated, candidate.packaged)
    run = workspace.client.get_run(candidate.packaged.run_id)
    source = f"{run.info.artifact_uri}/{ARTIFACT}"
    unregistered = Version(CANDIDATE, UNSTAGED, candidate.packaged.run_id, source, tags)
    evidence = gather(
        EvidenceCollector(),
        workspace,
        unregistered,
        opponent.version if opponent else None,
        candidate.validated.line(),
        opponent.tables if opponent else None,
    )
    gates = workspace.use_case.gates
    decision = decide(gates, evidence)
    return Judged(gates, evidence, decision, candidate.validated, candidate.trained)


def _card(workspace: Workspace, candidate: Candidate) -> str:
    parts = (candidate.validated, candidate.trained, candidate.evaluated)
    return model_card(workspace.use_case, *parts, {})


def _changes(declared: UseCase, card: str, opponent: Opponent | None, base: str) -> Changes:
    """Against the version in its way where that is known, and the base branch's files."""
    before = opponent.use_case if opponent else None
    facts = changes.declared(_plain(before), _plain(declared)) if before else []
    numstat = _git("diff", "--numstat", "-z", "--no-renames", f"{base}...HEAD")
    older, newer = _git("show", f"{base}:{LOCK}"), _git("show", f"HEAD:{LOCK}")
    return Changes(
        declared=[fact for fact in facts if fact.name != "name"],
        locked=changes.locked(older, newer),
        files=changes.files(numstat),
        card=changes.card_difference(opponent.card, card) if opponent and card else "",
    )


def _plain(use_case: UseCase) -> dict[str, Any]:
    return use_case.model_dump(mode="json", exclude_defaults=True)


def _git(*words: str) -> str:
    """What git prints; "" where it can't."""
    done = run_to_end(["git", "-C", str(PROJECT), *words])
    return done.output if done.code == 0 else ""


def _publish(number: str, use_case: str, text: str) -> str:
    """Comment on the pull request; the comment's address."""
    if not number.isdigit():
        raise BadInput(f"pull_request: the number of a pull request is needed, found {number!r}.")
    return github.comment_on(github.Repository.of_job(), int(number), marker(use_case), text)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    base: BaseOption = "origin/main",
    sample: SampleOption = "",
    output: OutputOption = "ci-report.md",
    pull_request: PullRequestOption = "",
) -> None:
    """CI report: what this change does to the model, as a comment; exit code 1 is a no."""
    if not _git("rev-parse", "--verify", "--quiet", f"{base}^{{commit}}"):
        raise BadInput(f"{base!r} is no commit of this repository; git fetch brings a branch.")
    found = review(use_case, base, read_rehearsal(sample, ""), read_settings(root))
    text = comment(found)
    Path(output).write_text(text, encoding="utf-8")
    if shown := os.environ.get(JOB_SUMMARY):  # also where no comment can be written: of a fork
        with Path(shown).open("a", encoding="utf-8") as file:
            file.write(text)
    facts = {"commit": found.commit[:12], "against": found.against, "comment": output}
    if pull_request:
        facts["pull request"] = _publish(pull_request, found.use_case, text)
    if found.judged:
        facts["gate"] = "; ".join(found.judged.decision.reasons)
    word = "may reach users" if found.passed else "may not reach users"
    summary(f"{found.title}: this change {word}", facts, {})
    if not found.passed:
        raise Refused(found.broken or "The gate says no to this change.")


if __name__ == "__main__":
    cli.run(main)
