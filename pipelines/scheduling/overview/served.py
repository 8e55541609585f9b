"""The overview for the scheduler's server, made by a process of its own when somebody looks.

MLflow takes seconds to import, and memory for good; a scheduler holds neither for a page.
"""

import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from contract.processes import run_to_end
from pipelines.scheduling.overview.page import DATASETS, OVERVIEW

FRESH_S = 60.0  # who looks again before sees the same
DEADLINE_S = 120.0


@dataclass
class OverviewPages:
    """Pages by their paths: `/overview.html`, and `/datasets/<use case>.html` which it links."""

    root: str  # of the tables, as it was given
    _made: float = float("-inf")
    _pages: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def page(self, path: str) -> bytes | None:
        """The page at a path; None where none is."""
        if path != f"/{OVERVIEW}" and not path.startswith(f"/{DATASETS}/"):
            return None
        with self._lock:  # two who look at once start one process
            if time.monotonic() - self._made > FRESH_S:
                self._pages, self._made = self._new(), time.monotonic()
            return self._pages.get(path)

    def _new(self) -> dict[str, bytes]:
        """All pages; the one with the trouble where they can't be made."""
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            command = [sys.executable, "-m", "pipelines.status", "--html", str(place / OVERVIEW)]
            command += ["--root", self.root] if self.root else []
            try:
                ended = run_to_end(command, DEADLINE_S)
                trouble = ended.reason if ended.code else ""
            except TimeoutError as error:
                trouble = str(error)
            if trouble:
                return {f"/{OVERVIEW}": f"The overview can't be made: {trouble}".encode()}
            return {
                f"/{file.relative_to(place)}": file.read_bytes() for file in place.rglob("*.html")
            }
