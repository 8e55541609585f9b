"""What the workers of a service tell each other: any of them answers for all.

Each writes its state once a second into the folder in which they count; with one worker there is
none. A worker that does not run takes no connection, so it keeps the others from nothing.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from contract.settings import Settings
from serving.telemetry.metrics import SHARED

if TYPE_CHECKING:
    from serving.scoring.champion import Status

PATTERN = "worker-*.json"


class Worker(msgspec.Struct, frozen=True):
    """A worker's state."""

    pid: int
    ready: bool
    version: str | None


@dataclass(frozen=True, slots=True)
class Workers:
    """All workers that run, the one that looks first."""

    asked: int
    running: tuple[Worker, ...]

    @property
    def all_ready(self) -> bool:
        """Whether whichever of them takes the next request can answer it."""
        return all(worker.ready for worker in self.running)

    @property
    def reasons(self) -> list[str]:
        """What is not as it should be, beside the state of the one that looks."""
        others = self.running[1:]
        found: list[str] = []
        if waiting := sum(not worker.ready for worker in others):
            found.append(f"{waiting} of {len(self.running)} workers can't answer.")
        if len(self.running) < self.asked:
            found.append(f"{len(self.running)} of {self.asked} workers run.")
        return found

    @property
    def told(self) -> dict[str, Any]:
        """How many there are, and with which version how many answer."""
        ready = [worker for worker in self.running if worker.ready]
        versions = Counter(worker.version for worker in ready)
        counts = {"asked": self.asked, "running": len(self.running), "ready": len(ready)}
        return counts | {"versions": {str(v): n for v, n in sorted(versions.items(), key=str)}}


class Board:
    """A folder of states; None where there is one worker alone."""

    def __init__(self, folder: Path | None, asked: int) -> None:
        self._folder, self._asked = folder, asked

    def tell(self, status: "Status") -> None:
        """Write this worker's state."""
        if self._folder is not None:
            own = self._folder / f"worker-{os.getpid()}.json"
            draft = own.with_suffix(".new")
            draft.write_bytes(msgspec.json.encode(_state(status)))
            draft.replace(own)

    def look(self, status: "Status") -> Workers:
        """The states of all that run; one's own is told, that of the others was a second ago."""
        return Workers(self._asked, (_state(status), *self._others()))

    def _others(self) -> Iterator[Worker]:
        for path in sorted(self._folder.glob(PATTERN)) if self._folder else ():
            try:
                worker = msgspec.json.decode(path.read_bytes(), type=Worker)
            except FileNotFoundError:  # another look has just found its worker dead
                continue
            if not Path(f"/proc/{worker.pid}").exists():
                path.unlink(missing_ok=True)
            elif worker.pid != os.getpid():
                yield worker


def _state(status: "Status") -> Worker:
    return Worker(os.getpid(), status.ready, status.served.version if status.served else None)


def open_board(settings: Settings) -> Board:
    """The board of the service that a worker belongs to."""
    folder = os.environ.get(SHARED)
    return Board(Path(folder), settings.serve_workers) if folder else Board(None, 1)
