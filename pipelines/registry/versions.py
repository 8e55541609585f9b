"""Versions in the MLflow registry: finding, making and tagging them. `move` moves them."""

from dataclasses import dataclass, field
from typing import Any

from mlflow import MlflowException
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from contract.errors import BadInput
from contract.markdown import plain
from contract.names import CHALLENGER, CHAMPION
from contract.settings import Settings
from contract.store.ledger import read_entries, state_after
from pipelines.registry.stages import stage_of
from pipelines.registry.transitions import ObservedRegistry
from pipelines.runtime.workspace import Workspace
from tracking.store import is_absent, is_there
from tracking.tags import TRAIN_RUN_TAG
from tracking.who import is_denied


@dataclass(frozen=True)
class Version:
    """A registered version, as far as moves care."""

    version: str
    stage: str
    run_id: str
    source: str
    tags: dict[str, str] = field(default_factory=dict)
    card: str = ""  # the description

    @property
    def train_run(self) -> str:
        """The run that trained it; `run_id` is its package's, or in an old version this one."""
        return self.tags.get(TRAIN_RUN_TAG, self.run_id)

    @classmethod
    def of(cls, entity: ModelVersion, settings: Settings) -> "Version":
        """From MLflow's own entity."""
        return cls(
            str(entity.version),
            stage_of(entity, settings),
            str(entity.run_id),
            str(entity.source),
            dict(entity.tags),
            str(entity.description or ""),
        )

    @classmethod
    def read(cls, workspace: Workspace, version: str) -> "Version":
        """A version by number; BadInput where there is none."""
        try:
            entity = workspace.client.get_model_version(workspace.model_name, version)
        except MlflowException as error:
            if not is_absent(error):
                raise
            raise BadInput(
                f"No version {version!r} of {workspace.model_name!r} is registered."
            ) from error
        return cls.of(entity, workspace.settings)


@dataclass(frozen=True)
class RegistrySnapshot:
    """The registered model and its versions as MLflow shows them now."""

    model: RegisteredModel
    versions: dict[str, Version]

    @property
    def observed(self) -> ObservedRegistry:
        """What moves look at."""
        aliases = {str(a): str(v) for a, v in self.model.aliases.items()}
        return ObservedRegistry(aliases, {v.version: v.stage for v in self.versions.values()})


def read_snapshot(workspace: Workspace) -> RegistrySnapshot | None:
    """The registered model with all its versions; None while there is none."""
    try:
        model = workspace.client.get_registered_model(workspace.model_name)
    except MlflowException as error:
        if is_absent(error) or _not_made_yet(workspace, error):
            return None
        raise
    versions: dict[str, Version] = {}
    token: Any = None
    while token != "":
        page = workspace.client.search_model_versions(
            f"name = '{workspace.model_name}'", page_token=token
        )
        versions |= {str(v.version): Version.of(v, workspace.settings) for v in page}
        token = page.token or ""
    return RegistrySnapshot(model, versions)


def champion_of(workspace: Workspace) -> Version | None:
    """The version that is in Production by the ledger; by its alias where there is no ledger yet.

    None where there is none, or where it was deleted by hand.
    """
    entries = read_entries(workspace.tables)
    if not entries:
        return _by_alias(workspace, CHAMPION)
    champion = state_after(entries).champion
    try:
        return Version.read(workspace, champion) if champion else None
    except BadInput:
        return None


def challenger_of(workspace: Workspace) -> Version | None:
    """The registered version that waits for the gate."""
    return _by_alias(workspace, CHALLENGER)


def find_version(workspace: Workspace, **tags: str) -> Version | None:
    """The newest version with all these tags."""
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    versions = workspace.client.search_model_versions(
        f"name = '{workspace.model_name}' and {wanted}"
    )
    newest = max(versions, key=lambda v: int(v.version), default=None)
    return Version.of(newest, workspace.settings) if newest else None


def version_of_run(workspace: Workspace, train_run: str) -> Version | None:
    """The version that a training run became, if it was registered."""
    return find_version(workspace, **{TRAIN_RUN_TAG: train_run})


def create_version(
    workspace: Workspace, source: str, run_id: str, card: str, tags: dict[str, str]
) -> Version:
    """A new version with its tags and card in one transaction of the registry.

    A tracking server takes it only if `source` lies among the artifacts of the run that it names.
    """
    client, name = workspace.client, workspace.model_name
    try:
        client.create_registered_model(name, description=plain(workspace.use_case.description))
    except MlflowException as error:
        if not is_there(error):
            raise
    made = client.create_model_version(name, source, run_id, tags=tags, description=card)
    return Version.of(made, workspace.settings)


def tag(workspace: Workspace, version: Version, **tags: str) -> None:
    """Set tags on a version."""
    for name, value in tags.items():
        workspace.client.set_model_version_tag(workspace.model_name, version.version, name, value)


def _by_alias(workspace: Workspace, alias: str) -> Version | None:
    try:
        entity = workspace.client.get_model_version_by_alias(workspace.model_name, alias)
    except MlflowException as error:
        if is_absent(error) or _not_made_yet(workspace, error):
            return None
        raise
    return Version.of(entity, workspace.settings)


def _not_made_yet(workspace: Workspace, error: MlflowException) -> bool:
    """Whether a server with sign-in hides a model that is not there: it lets nobody look at it.

    One that the ledger tells of is there, and these credentials may not see it.
    """
    return is_denied(error) and not workspace.tables.exists("ledger")
