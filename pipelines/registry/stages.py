"""Stages of versions: the only place that touches MLflow's deprecated stage API.

Stages are deprecated in MLflow since 2.9 and are what this project's users look at, so the warnings
of the API are silenced here and nowhere else. With the setting `stages` off, the stage stands in
the tag `stage` of the version instead, and nothing deprecated is called.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from contract.settings import Settings
from pipelines.registry.transitions import UNSTAGED
from tracking.tags import STAGE_TAG


def stage_of(entity: ModelVersion, settings: Settings) -> str:
    """Stage of a version: None, Staging, Production or Archived."""
    if settings.stages:
        return str(entity.current_stage)
    return str(entity.tags.get(STAGE_TAG, UNSTAGED))


def set_stage(
    client: MlflowClient, settings: Settings, name: str, version: str, stage: str
) -> None:
    """Move a version to a stage."""
    if settings.stages:
        with _deprecated():
            client.transition_model_version_stage(name, version, stage)
    else:
        client.set_model_version_tag(name, version, STAGE_TAG, stage)


@contextmanager
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
