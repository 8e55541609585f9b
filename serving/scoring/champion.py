"""The version that answers now, as one worker sees it: watches `current.json`, loads beside the
event loop, swaps by one assignment. Requests that hold the old version finish on it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contract.errors import Refused
from contract.use_case.pseudonymisation import Pseudonymiser
from serving.scoring.cache import Announcement, Cache, FetchedVersion, RefusedVersion
from serving.scoring.version import ServedVersion, load_fetched

MAX_WATCH_S = 0.5  # between two looks at the announcement: one `stat` each
FIRST_WATCH_S = 0.05  # while there is no version to answer with
KEEP_S = 600  # how long the old version stays in memory for an instant way back
UNREADABLE = 0, 0  # stands for the stamp of an announcement that can't be looked at
SILENT_POLLS = 3  # so many polls without a word make the follower silent
SILENT_S = 30  # added, for a poll may wait that long for a registry that is away

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """What readiness, metrics and the status page say."""

    name: str  # of the model, served or not
    served: ServedVersion | None
    since: datetime | None  # UTC, when the version was announced
    draining: bool
    trouble: tuple[str, ...]  # sentences; none: all is well, some: degraded
    registry_age_s: float | None  # since the registry last answered; None: never
    swaps: int  # versions that this worker has loaded or gone back to
    failures: int  # announced versions that this worker could not load
    refused: tuple[RefusedVersion, ...]
    challenger: str | None

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.served is not None and not self.draining


class CurrentVersion:
    """Holds the served version of one worker."""

    def __init__(
        self,
        cache: Cache,
        name: str,
        poll_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        log_secret: str = "",
        code: Path | None = None,
    ) -> None:
        self.cache, self.name, self._poll_s, self._clock = cache, name, poll_s, clock
        self._log_secret, self.code = log_secret, code
        self._served: ServedVersion | None = None
        self._kept: ServedVersion | None = None
        self._kept_until = 0.0
        self._announced = Announcement(name)
        self._stamp: tuple[int, int] | None = None
        self._swaps = self._failures = 0
        self._trouble = ""
        self._draining = False

    def served(self) -> ServedVersion | None:
        """The version that answers now; a request asks once and keeps what it got."""
        return self._served

    def drain(self) -> None:
        """Say not ready from now on; requests are still answered."""
        self._draining = True

    def status(self) -> Status:
        """What is announced now."""
        announced = self._announced
        age = (self._clock() - announced.polled).total_seconds() if announced.polled else None
        silent = age is not None and age > SILENT_POLLS * self._poll_s + SILENT_S
        silence = f"The registry was last heard {age:.0f} s ago." if silent else ""
        return Status(
            name=self.name,
            served=self._served,
            since=announced.champion.since if announced.champion else None,
            draining=self._draining,
            trouble=tuple(filter(None, (announced.trouble, self._trouble, silence))),
            registry_age_s=age,
            swaps=self._swaps,
            failures=self._failures,
            refused=announced.refused,
            challenger=announced.challenger.version if announced.challenger else None,
        )

    async def watch(self) -> None:
        """Refresh whenever the announcement changes, until cancelled."""
        while True:
            pause_s = MAX_WATCH_S if self._served else FIRST_WATCH_S
            await asyncio.sleep(min(pause_s, self._poll_s / 4))
            if self._kept and time.monotonic() > self._kept_until:
                self._kept = None
            if self._look() != self._stamp:
                await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Read the announcement and swap to its champion.

        It raises nothing: what fails leaves the old version, is counted and stands in `status`.
        """
        self._stamp = self._look()
        trouble = ""
        try:
            self._announced = self.cache.read() or Announcement(self.name)
            self._swap_to(self._announced.champion)
        except Refused as error:
            trouble = str(error)
        except Exception as error:  # the old version must go on answering, whatever this is
            trouble = f"The announced version can't be loaded ({type(error).__name__}: {error})."
        if trouble and trouble != self._trouble:
            self._failures += 1
            logger.warning("%s", trouble)
        self._trouble = trouble

    def _look(self) -> tuple[int, int] | None:
        try:
            return self.cache.stamp()
        except OSError:  # reading it says why
            return UNREADABLE

    def _swap_to(self, champion: FetchedVersion | None) -> None:
        if champion is None or _is(self._served, champion):
            return
        kept = self._kept
        if kept is None or not _is(kept, champion):
            kept = load_fetched(self.cache, self.name, champion, self.code)
            Pseudonymiser.of(
                kept.use_case, self._log_secret
            )  # what can't be hidden in the log must not be
        self._kept, self._kept_until = self._served, time.monotonic() + KEEP_S
        self._served = kept
        self._swaps += 1


def _is(version: ServedVersion | None, announced: FetchedVersion) -> bool:
    served = (version.version, version.digest) if version else None
    return served == (announced.version, announced.digest)
