"""The candidate of a retraining: what it is made of, and what says on it why it was made."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contract.errors import Refused
from contract.names import TableName
from contract.store.tables import TableVersion
from contract.use_case.model import UseCase
from pipelines.data.days import with_windows
from pipelines.data.raw_table import raw_schema
from pipelines.model.results import Trained
from pipelines.registry.versions import Version
from pipelines.retraining.label_checks import ChampionTables
from pipelines.retraining.policy import LabelledAnswers, RetrainDecision, State, calling
from pipelines.runtime.workspace import Workspace
from tracking.tags import (
    RETRAINED_AS_OF_TAG,
    RETRAINED_BECAUSE_TAG,
    RETRAINED_LABELS_TAG,
    RETRAINED_SIGNALS_TAG,
    RETRAINED_TUNED_TAG,
    RETRAINED_WHY_TAG,
    RETRAINED_WINDOW_TAG,
    table_hash_tag,
    table_version_tag,
)

BY_HAND = "by hand"


@dataclass(frozen=True)
class RetrainRequest:
    """A decision to retrain, on which labels, as of when."""

    decision: RetrainDecision
    labels: LabelledAnswers
    now: datetime

    @property
    def cause(self) -> str:
        """The run of the report that called; "" where a person did."""
        return self.decision.cause.run_id if self.decision.cause else ""


@dataclass(frozen=True)
class Retrained:
    """What was decided and, where it was to retrain, what came of it."""

    state: State
    reasons: tuple[str, ...]
    cause: str = ""  # run of the report that called for it
    champion: str = ""  # the version in Production before
    version: str = ""  # the candidate
    gate_passed: bool | None = None
    conclusion: str = ""  # whether it is live, and why
    run_id: str = ""


def champion_tables(workspace: Workspace, champion: Version) -> ChampionTables:
    """The tables that the champion learned from and was measured on.

    Refused where the use case has changed since: a retraining adds rows, it adds no columns.
    """
    if not workspace.tables.schema("raw").equals(raw_schema(workspace.use_case)):
        raise Refused(
            f"{workspace.use_case.name!r} declares other columns than those of its table raw; "
            "main makes a version of them first."
        )

    def of(name: TableName) -> TableVersion:
        tags = champion.tags
        if table_version_tag(name) not in tags:
            raise Refused(f"Version {champion.version} does not say which {name} table it is of.")
        version, total = int(tags[table_version_tag(name)]), tags[table_hash_tag(name)]
        key = workspace.use_case.row_keys[0]
        rows = workspace.tables.read(name, version, columns=[key]).num_rows
        return TableVersion(name, version, rows, total)

    return ChampionTables(of("training"), of("holdout"))


def with_holdout(use_case: UseCase, labels: LabelledAnswers) -> UseCase:
    """The use case with the split moved to the window that is held out.

    A split that is not by time needs no moving: every row stays on its side by its key.
    """
    if labels.holdout is None:
        return use_case
    return with_windows(use_case, "", str(labels.holdout.start), str(labels.holdout.end))


def keeps_parameters(use_case: UseCase, trained: Trained, tags: Mapping[str, str]) -> bool:
    """Whether the champion, with these tags, has parameters that a search found: its own, or that
    of the version which it was retrained from. Those of another estimator are of no use."""
    tuned = trained.tune > 0 or tags.get(RETRAINED_TUNED_TAG) == "yes"
    return tuned and trained.estimator == use_case.estimator.kind


def with_parameters(use_case: UseCase, tuned: Mapping[str, Any]) -> UseCase:
    """The use case with what parameters were tuned to before: a retraining tunes nothing."""
    estimator = use_case.estimator.model_copy(update={"parameters": dict(tuned)})
    return use_case.model_copy(update={"estimator": estimator})


def as_of_text(now: datetime) -> str:
    """How a version says as of when it was made, in UTC."""
    return now.astimezone(UTC).isoformat(timespec="seconds")


def origin_tags(use_case: UseCase, request: RetrainRequest) -> dict[str, str]:
    """Tags of run and version that say why it was made."""
    tags = {
        RETRAINED_BECAUSE_TAG: request.cause or BY_HAND,
        RETRAINED_WHY_TAG: " ".join(request.decision.reasons),
        RETRAINED_LABELS_TAG: f"{request.labels.start} to {request.labels.end}",
        RETRAINED_AS_OF_TAG: as_of_text(request.now),
    }
    if cause := request.decision.cause:
        tags[RETRAINED_WINDOW_TAG] = cause.window
        tags[RETRAINED_SIGNALS_TAG] = ", ".join(calling(cause, use_case.monitoring))
    return tags
