"""The cache of one host: fetched versions by digest, and `current.json`, which names the one
that answers. One follower writes it, every worker reads it; each change is one atomic rename.

Back to the follower goes one word: an empty file beside the versions names one that a worker could
not load, so that it is looked at and fetched anew where it is damaged.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from contract.errors import Refused

CURRENT_FILE = "current.json"
DOUBTED = ".doubted"  # how the name of such a file ends; it begins with the digest


@dataclass(frozen=True, slots=True)
class FetchedVersion:
    """A version that is in the cache and passed its checks."""

    version: str
    digest: str  # SHA-256 of the manifest
    since: datetime  # UTC, when it was announced


@dataclass(frozen=True, slots=True)
class RefusedVersion:
    """A version that failed its checks; it is not tried again."""

    version: str
    digest: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the follower knows, replaced as a whole at each poll."""

    name: str
    champion: FetchedVersion | None = None
    previous: FetchedVersion | None = None
    challenger: FetchedVersion | None = None
    refused: tuple[RefusedVersion, ...] = ()
    reachable: bool = False  # whether the registry answered the newest poll
    polled: datetime | None = None  # UTC, when the registry last answered
    trouble: str = ""  # what is not as it should be; empty: nothing
    entry: int = 0  # number of the newest entry of the ledger that was followed


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of one registered model."""

    folder: Path

    def version_folder(self, digest: str) -> Path:
        """Where the package with this digest is kept."""
        return self.folder / "versions" / digest

    def doubt(self, digest: str) -> None:
        """Ask the follower to look at a package again: it could not be loaded here."""
        self._doubt(digest).touch()

    def doubted(self, digest: str) -> bool:
        """Whether somebody has asked for that."""
        return self._doubt(digest).exists()

    def trust(self, digest: str) -> None:
        """Say that a package is whole."""
        self._doubt(digest).unlink(missing_ok=True)

    def _doubt(self, digest: str) -> Path:
        return self.folder / f"{digest}{DOUBTED}"

    def read(self) -> Announcement | None:
        """The newest announcement; None before the first. Refused when the file is damaged."""
        path = self.folder / CURRENT_FILE
        try:
            return msgspec.json.decode(path.read_bytes(), type=Announcement)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise Refused(
                f"{path} can't be read ({error}); the follower will replace it."
            ) from error

    def told(self) -> Announcement | None:
        """The same for who can't help it: None while the file is damaged, too."""
        try:
            return self.read()
        except Refused:  # the follower says so and replaces it
            return None

    def knows_a_champion(self) -> bool:
        """Whether something may answer before the registry is asked."""
        announced = self.told()
        return announced is not None and announced.champion is not None

    def stamp(self) -> tuple[int, int] | None:
        """Changes with every announcement; costs one look at the folder."""
        try:
            stat = (self.folder / CURRENT_FILE).stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns

    def announce(self, announcement: Announcement) -> None:
        """Replace `current.json` in one rename: a reader sees the old one or the new one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f"{CURRENT_FILE}.{os.getpid()}"
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(announcement)))
        fresh.replace(self.folder / CURRENT_FILE)

    def prune(self, announcement: Announcement) -> None:
        """Remove the versions that nobody may ask for any more, and unfinished downloads."""
        kept = (announcement.champion, announcement.previous, announcement.challenger)
        wanted = {fetched.digest for fetched in kept if fetched}
        for folder in (self.folder / "versions").glob("*"):
            if folder.name not in wanted:
                shutil.rmtree(folder)
        for doubt in self.folder.glob(f"*{DOUBTED}"):
            if doubt.name.removesuffix(DOUBTED) not in wanted:
                doubt.unlink(missing_ok=True)
