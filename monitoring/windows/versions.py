"""What MLflow knows of the versions that answered: use case, reference, the champion's number."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from contract import names
from contract.errors import Refused, Unavailable
from contract.names import CHAMPION, REFERENCE_DIR, USE_CASE_FILE
from contract.package import MANIFEST_FILE, verify
from contract.settings import Settings
from contract.store.ledger import read_entries, to_serve
from contract.store.tables import Tables
from contract.use_case.loader import parse_frozen
from contract.use_case.model import UseCase
from monitoring.windows.reference import Reference, load
from tracking.packages import download
from tracking.store import experiment, is_absent
from tracking.tags import PACKAGE_TAG
from tracking.trouble import store_trouble

PARTS = (MANIFEST_FILE, USE_CASE_FILE, REFERENCE_DIR)  # of a package, that monitoring reads

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
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
        raise _trouble(error) from error


def _trouble(error: mlflow.MlflowException) -> Unavailable:
    return store_trouble(error) or Unavailable(f"MLflow did not answer: {error.error_code}.")


def monitoring_experiment(client: MlflowClient, settings: Settings, name: str) -> str:
    """Id of the experiment that holds the monitoring runs of a use case."""
    return experiment(client, settings, names.experiment(name, "monitoring"))


def live_version(client: MlflowClient, tables: Tables) -> str:
    """The version that services answer with: what the ledger says; empty: there is none.

    Only where no command of ours has ever moved a version, the alias says it.
    """
    entries = read_entries(tables)
    if entries:
        served = to_serve(entries)
        return served.version if served else ""
    try:
        return str(client.get_model_version_by_alias(tables.use_case, CHAMPION).version)
    except mlflow.MlflowException as error:
        if is_absent(error):
            return ""
        raise _trouble(error) from error


def read_served(client: MlflowClient, today: UseCase, version: str) -> ServedModel:
    """A version by its package; without one, today's use case and nothing to compare with.

    Columns are those that the version was trained on. How windows are judged is for today's file
    to say: limits are tuned more often than models are trained. Unavailable where MLflow is away,
    or the whole package is gone.
    """
    try:
        registered = client.get_model_version(today.name, version).tags.get(PACKAGE_TAG, "")
        source = client.get_model_version_download_uri(today.name, version)
        with tempfile.TemporaryDirectory() as into:
            download(source, into, version, PARTS)
            verify(Path(into), registered, PARTS)
            text = (Path(into) / USE_CASE_FILE).read_text(encoding="utf-8")
            made = parse_frozen(text, Path.cwd())
            reference = load(Path(into) / REFERENCE_DIR)
    except mlflow.MlflowException as error:
        if not is_absent(error):
            raise _trouble(error) from error
        return ServedModel(version, today, None, registered=False)
    except (Refused, OSError) as error:  # the package lacks a file, or is not what was registered
        logger.warning("version %s is not judged: %s", version, error)
        return ServedModel(version, today, None)
    return ServedModel(version, made.model_copy(update={"monitoring": today.monitoring}), reference)
