"""Follow the registry: hold the champion, swap it by one assignment when the alias moves."""

import logging
import tempfile
import threading
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from contract.errors import FourcycleError, Refused, Unavailable
from contract.names import CHAMPION
from serving.model import ServedVersion, check_golden, load_version

logger = logging.getLogger(__name__)


def champion_version(client: MlflowClient, name: str) -> str | None:
    """Number of the version that the alias points at; None while there is none."""
    try:
        return str(client.get_model_version_by_alias(name, CHAMPION).version)
    except mlflow.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise Unavailable(f"The registry did not answer: {error.error_code}.") from error


def fetch(name: str, version: str, folder: Path) -> ServedVersion:
    """Download a version into `folder`, load and check it; Refused when anything is not right."""
    try:
        source = f"models:/{name}/{version}"
        found = Path(mlflow.artifacts.download_artifacts(source, dst_path=str(folder)))
    except OSError as error:
        raise Refused(f"Version {version} of {name} can't be served: {error}") from error
    except mlflow.MlflowException as error:
        raise Unavailable(f"Version {version} of {name} can't be fetched: {error}") from error
    served = load_version(found, name, version)
    check_golden(served)
    return served


class Follower:
    """Polls the alias in a thread of its own; a version that fails is refused, the old stays."""

    def __init__(self, client: MlflowClient, name: str, poll_s: float) -> None:
        self._client, self._name, self._poll_s = client, name, poll_s
        self._served: ServedVersion | None = None
        self._refused: set[str] = set()
        self._said = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def current(self) -> ServedVersion | None:
        """The version that answers now."""
        return self._served

    def start(self) -> None:
        """Look once, then keep looking in the background."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=self._poll_s + 5)

    def look(self) -> None:
        """Fetch the champion if it is another one than the one served."""
        try:
            version = champion_version(self._client, self._name)
            serving = self._served.version if self._served else None
            if version is None or version == serving or version in self._refused:
                return
            with tempfile.TemporaryDirectory() as folder:
                try:
                    self._served = fetch(self._name, version, Path(folder))
                except FourcycleError as error:
                    if not isinstance(error, Unavailable):  # an absent store is tried again
                        self._refused.add(version)
                    raise
            self._say(f"serving {self._name} version {version}")
        except FourcycleError as error:
            self._say(str(error))
        except Exception as error:  # whatever it is, the thread must live on to see the next one
            self._say(f"The champion can't be followed: {type(error).__name__}: {error}")

    def _say(self, message: str) -> None:
        """Warn once for as long as the reason stays the same."""
        if message != self._said:
            logger.warning("%s", message)
        self._said = message

    def _run(self) -> None:
        while not self._stop.wait(self._poll_s):
            self.look()
