"""What MLflow knows of the versions that answered: use case, reference, the champion's number."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from contract.database import POSTGRESQL, await_database
from contract.errors import Unavailable
from contract.names import CHAMPION, REFERENCE_DIR, USE_CASE_FILE, experiment
from contract.settings import SQLITE, Settings
from contract.use_case import UseCase
from contract.use_case_file import parse_frozen
from monitoring.reference import Reference, load

NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


@dataclass(frozen=True)
class Served:
    """A version: the use case it was made with, under today's policy, and its reference."""

    version: str
    use_case: UseCase
    reference: Reference | None  # None: it has none that can be read
    registered: bool = True


@contextmanager
def asking() -> Iterator[None]:
    """Unavailable where MLflow does not do what it is asked for in the block."""
    try:
        yield
    except mlflow.MlflowException as error:
        raise Unavailable(f"MLflow did not answer: {error.error_code}.") from error


def connect(settings: Settings) -> MlflowClient:
    """Point MLflow at the tracking store and registry of the settings."""
    uri = settings.tracking_uri
    if uri.startswith(SQLITE):
        uri = SQLITE + str(settings.home / Path(uri.removeprefix(SQLITE)).name)
    elif uri.startswith(POSTGRESQL):
        await_database(uri, settings.store_wait_s)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


def monitoring_experiment(client: MlflowClient, settings: Settings, name: str) -> str:
    """Id of the experiment that holds the monitoring runs, created on first use."""
    title = experiment(name, "monitoring")
    found = client.get_experiment_by_name(title)
    if found:
        return str(found.experiment_id)
    beside = None
    if settings.tracking_uri.startswith(SQLITE):
        beside = (settings.home / "mlruns" / title.replace("/", "-")).as_uri()
    tags = {"mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(title, artifact_location=beside, tags=tags))


def champion_version(client: MlflowClient, name: str) -> str:
    """Version in Production; empty: there is none."""
    try:
        return str(client.get_model_version_by_alias(name, CHAMPION).version)
    except mlflow.MlflowException as error:
        if error.error_code in NOT_THERE:
            return ""
        raise Unavailable(f"The registry did not answer: {error.error_code}.") from error


def read_served(client: MlflowClient, today: UseCase, version: str) -> Served:
    """A version by its package; without one, today's use case and nothing to compare with.

    Columns are those that the version was trained on. How windows are judged is for today's file
    to say: limits are tuned more often than models are trained.
    """
    try:
        source = client.get_model_version_download_uri(today.name, version)
        text = mlflow.artifacts.load_text(f"{source}/{USE_CASE_FILE}")
        made = parse_frozen(text, Path.cwd())
        with tempfile.TemporaryDirectory() as folder:
            uri = f"{source}/{REFERENCE_DIR}"
            reference = load(Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder)))
    except mlflow.MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise Unavailable(f"MLflow did not answer: {error.error_code}.") from error
        return Served(version, today, None, registered=False)
    except OSError:  # the package lacks a file, or one that is damaged
        return Served(version, today, None)
    return Served(version, made.model_copy(update={"monitoring": today.monitoring}), reference)
