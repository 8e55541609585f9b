"""Promote: move a version that passed the gate to Production; serving follows by itself."""

from dataclasses import dataclass
from typing import Annotated

import mlflow
import typer

from contract.errors import BadInput, Refused
from contract.hints import typed
from contract.store.ledger import (
    LedgerEntry,
    RegistryState,
    registered_by,
    state_after,
    taken_out,
)
from contract.use_case.sections.release import Release
from pipelines.gate import Gated, VersionOption
from pipelines.registry.description import PENDING, sentence
from pipelines.registry.move import move, refresh, request_of, settle
from pipelines.registry.transitions import named
from pipelines.registry.versions import Version, challenger_of, tag
from pipelines.release.notices import tell_gated, tell_waiting
from pipelines.release.release_check import check_release
from pipelines.runtime import cli
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_releases
from tracking.tags import (
    APPROVAL_TAG,
    GATE_CHAMPION_TAG,
    GATE_REASONS_TAG,
    GATE_TAG,
    TRAINED_BY_NOTE_TAG,
    TRAINED_BY_TAG,
    VERSION_TAG,
)
from tracking.who import UNPROVEN, Actor

TO_PROVE = (
    "A tracking server with sign-in proves it (mlflow server --app-name basic-auth); "
    "release.unproven: true in the use case lets claimed names do."
)
ReasonOption = Annotated[str, typer.Option(help="Why; stands in the ledger and on the version.")]


class Promoted(Result):
    """The version that users now get."""

    version: str
    moved: bool
    why: str

    def line(self) -> str:
        return f"version {self.version} " + (
            f"→ Production: {self.why}" if self.moved else "is in Production"
        )


@dataclass(frozen=True)
class PromotionConclusion:
    """How a pipeline ends for its version: one sentence, and the promotion if there was one."""

    sentence: str
    promoted: Done[Promoted] | None = None


STEP = Step("promote", Promoted, cached=False)


def promote(workspace: Workspace, version: Version, reason: str) -> Done[Promoted]:
    """Staging → Production; a version that is there already stays."""
    return execute(workspace, STEP, lambda: _promote(workspace, version, reason))


def _promote(workspace: Workspace, version: Version, reason: str) -> Promoted:
    mlflow.set_tag(VERSION_TAG, version.version)
    entries = settle(workspace)
    now = state_after(entries)
    if version.version == now.champion:
        return Promoted(version=version.version, moved=False, why="")
    gated_against = passed_against(Version.read(workspace, version.version), now)
    checked = check_release(workspace, version)
    request = request_of(
        workspace, "promote", version, reason, gated_against, release_check=checked.line()
    )
    moved = move(workspace, request, entries) is not None
    return Promoted(version=version.version, moved=moved, why=reason)


def passed_against(version: Version, now: RegistryState) -> str:
    """The champion that the gate compared with; Refused unless its yes holds for the present one.

    "" where there was no champion.
    """
    tags, v = version.tags, version.version
    if tags.get(GATE_TAG) != "passed":
        reasons = tags.get(GATE_REASONS_TAG, "")
        decision = f"{tags[GATE_TAG]}: {reasons}" if GATE_TAG in tags else "not gated"
        raise Refused(f"Version {v} has not passed the gate ({decision}).")
    against = tags.get(GATE_CHAMPION_TAG, "none").replace("none", "")
    if against != now.champion:
        raise Refused(
            f"The gate compared version {v} with {named(against)}, but the champion is now "
            f"{named(now.champion)}; run the step gate again with version={v}."
        )
    return against


def check_approval(
    release: Release,
    version: Version,
    actor: Actor,
    reason: str,
    registered: LedgerEntry | None,
) -> None:
    """Under `approval: manual` a second, proven person gives a reason; Refused otherwise.

    `registered` is the entry by which the version became the challenger. Who trained it stands in
    a tag of a run, which its writer could change; who registered it stands in the ledger.
    """
    if release.approval == "auto":
        return
    v, tags = version.version, version.tags
    if not reason:
        raise BadInput(f"Version {v} needs an approval with a reason: -P reason='...'.")
    trained_by = {tags.get(TRAINED_BY_TAG, UNPROVEN)} | ({registered.who} if registered else set())
    if release.unproven:
        trained_by.add(tags.get(TRAINED_BY_NOTE_TAG, ""))
    elif not actor.proven:
        raise Refused(
            f"Version {v} needs the approval of somebody who is proven, and nobody has proven "
            f"that this is {actor.name!r}. {TO_PROVE}"
        )
    elif UNPROVEN in trained_by or not (registered and registered.proven):
        raise Refused(
            f"Nobody has proven who trained version {v}, so nobody can be shown to be another "
            f"person. Train it again signed in. {TO_PROVE}"
        )
    if not release.self_approval and actor.name in trained_by:
        raise Refused(
            f"Version {v} was trained by {actor.name}; another person must approve it "
            "(release.self_approval in the use case allows the same)."
        )


def conclude(workspace: Workspace, version: Version, gated: Gated) -> PromotionConclusion:
    """After the gate: promote where policy allows, and say why the version is live or not."""
    entries, v = settle(workspace), version.version
    now, reasons = state_after(entries), "; ".join(gated.reasons)
    if v == now.champion:
        return PromotionConclusion(f"Version {v} is in Production.")
    short = f"Version {v} did not reach Production"
    if v != now.challenger:
        last = taken_out(entries).get(v)
        why = sentence(last) if last else "it is no challenger"
        return PromotionConclusion(f"{short}, it is archived: {why}.")
    version = Version.read(workspace, v)  # with what the gate wrote on it
    tell_gated(workspace, version, () if gated.passed else gated.reasons)
    if not gated.passed:
        refresh(workspace)
        return PromotionConclusion(f"{short}, the gate refused it: {reasons}.")
    if workspace.use_case.release.approval == "manual":
        tag(workspace, version, **{APPROVAL_TAG: PENDING})
        refresh(workspace)
        tell_waiting(workspace, version)
        command = typed("promote", workspace.use_case.name, version=v, reason="...")
        return PromotionConclusion(
            f"{short} yet, it passed the gate and waits for approval: {command}"
        )
    # The first reason says how it compares; the gate's run, which the ledger names, holds all.
    done = promote(workspace, version, f"the gate passed: {gated.reasons[0]}")
    return PromotionConclusion(f"Version {v} reached Production, {done.result.why}.", done)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
    reason: ReasonOption = "",
) -> None:
    """Promote: move a version that passed the gate to Production, or approve one that waits."""
    workspace = open_releases(use_case, root)
    asked = Version.read(workspace, version) if version else challenger_of(workspace)
    if asked is None:
        raise BadInput(f"{workspace.model_name!r} has no challenger; name a version.")
    registered = registered_by(settle(workspace), asked.version)
    check_approval(workspace.use_case.release, asked, workspace.actor, reason, registered)
    promote(workspace, asked, reason or "asked for by hand")
    tell_waiting(workspace, None)


if __name__ == "__main__":
    cli.run(main)
