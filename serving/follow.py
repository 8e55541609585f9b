"""Follow the registry: hold the champion, swap it by one assignment when the alias moves."""

import logging
import tempfile
import threading
from pathlib import Path

from mlflow import MlflowClient

from contract.errors import FourcycleError
from serving.model import ServedModel, champion_version, fetch

logger = logging.getLogger(__name__)


class Follower:
    """Polls the alias in a thread of its own; a version that fails is refused, the old stays."""

    def __init__(self, client: MlflowClient, name: str, poll_s: float) -> None:
        self._client, self._name, self._poll_s = client, name, poll_s
        self._served: ServedModel | None = None
        self._refused: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def current(self) -> ServedModel | None:
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
                    if error.exit_code == 1:  # refused for good; an absent store is tried again
                        self._refused.add(version)
                    raise
            logger.warning("serving %s version %s", self._name, version)
        except FourcycleError as error:
            logger.warning("%s", error)

    def _run(self) -> None:
        while not self._stop.wait(self._poll_s):
            self.look()
