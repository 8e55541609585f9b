"""Versions in the MLflow registry and their moves: the only place that calls the stage API.

Stages are deprecated in MLflow and are what this project's users look at, so their warnings are
silenced here and nowhere else. The alias is what serving follows; the stage is kept in step.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mlflow import MlflowException
from mlflow.entities.model_registry import ModelVersion

from contract.errors import BadInput
from contract.names import ARCHIVED, CHALLENGER, CHAMPION, PREVIOUS, PRODUCTION, STAGING
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class Version:
    """A registered version, as far as moves care."""

    version: str
    stage: str
    run_id: str
    source: str
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: ModelVersion) -> "Version":
        """From MLflow's own entity."""
        return cls(
            str(found.version),
            str(found.current_stage),
            str(found.run_id),
            str(found.source),
            dict(found.tags),
        )

    @classmethod
    def read(cls, workspace: Workspace, version: str) -> "Version":
        """A version by number; BadInput where there is none."""
        try:
            return cls.of(workspace.client.get_model_version(workspace.model_name, version))
        except MlflowException as error:
            raise BadInput(
                f"No version {version!r} of {workspace.model_name!r} is registered."
            ) from error


def champion_of(workspace: Workspace) -> Version | None:
    """The version that serving follows."""
    return _by_alias(workspace, CHAMPION)


def challenger_of(workspace: Workspace) -> Version | None:
    """The registered version that waits for the gate."""
    return _by_alias(workspace, CHALLENGER)


def find_version(workspace: Workspace, **tags: str) -> Version | None:
    """The newest version with all these tags."""
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found = workspace.client.search_model_versions(f"name = '{workspace.model_name}' and {wanted}")
    return Version.of(max(found, key=lambda v: int(v.version))) if found else None


def version_of_run(workspace: Workspace, train_run: str) -> Version | None:
    """The version that a training run became, if it was registered."""
    return find_version(workspace, train_run=train_run)


def create_version(
    workspace: Workspace, source: str, run_id: str, model_id: str, card: str, tags: dict[str, str]
) -> Version:
    """A new version with its tags and card in one transaction of the registry."""
    client, name = workspace.client, workspace.model_name
    try:
        client.create_registered_model(name, description=workspace.use_case.description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        name, source, run_id, tags=tags, description=card, model_id=model_id or None
    )
    return Version.of(made)


def to_staging(workspace: Workspace, version: Version) -> None:
    """None → Staging, alias challenger; a former challenger is archived."""
    former = challenger_of(workspace)
    if former and former.version != version.version:
        _stage(workspace, former, ARCHIVED)
    _alias(workspace, CHALLENGER, version)
    _stage(workspace, version, STAGING)


def to_production(workspace: Workspace, version: Version) -> None:
    """Staging → Production, alias champion; the old champion: Archived, alias previous."""
    old = champion_of(workspace)
    _alias(workspace, CHAMPION, version)
    if old and old.version != version.version:
        _alias(workspace, PREVIOUS, old)
        _stage(workspace, old, ARCHIVED)
    _stage(workspace, version, PRODUCTION)
    challenger = challenger_of(workspace)
    if challenger and challenger.version == version.version:
        workspace.client.delete_registered_model_alias(workspace.model_name, CHALLENGER)


def tag(workspace: Workspace, version: Version, **tags: str) -> None:
    """Set tags on a version."""
    for name, value in tags.items():
        workspace.client.set_model_version_tag(workspace.model_name, version.version, name, value)


def _by_alias(workspace: Workspace, alias: str) -> Version | None:
    try:
        found = workspace.client.get_model_version_by_alias(workspace.model_name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return Version.of(found)


def _alias(workspace: Workspace, alias: str, version: Version) -> None:
    workspace.client.set_registered_model_alias(workspace.model_name, alias, version.version)


def _stage(workspace: Workspace, version: Version, stage: str) -> None:
    with _deprecated():
        workspace.client.transition_model_version_stage(
            workspace.model_name, version.version, stage
        )


@contextmanager
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
