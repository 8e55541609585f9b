"""Locks between processes of one host: advisory files, released when a process dies."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from contract.addresses import SQLITE, sqlite_file
from contract.errors import Busy, Unavailable
from contract.settings import Settings

FOREVER = -1.0
MERGE_WAIT_S = 600  # `maintain` on large tables takes minutes


def lock_folder(settings: Settings) -> Path:
    """The folder of lock files, one per host and table root; it is made where it is missing."""
    if "://" in settings.table_root:
        digest = hashlib.sha256(settings.table_root.encode()).hexdigest()
        folder = Path.home() / ".cache/fourcycle" / digest[:16]
    else:
        folder = Path(settings.table_root) / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def merging_lock(settings: Settings, use_case: str) -> Path:
    """Held by who merges files of a use case's tables, or deletes them for good: a merge that comes
    too late would leave the rows in a file that no commit names."""
    return lock_folder(settings) / f"{use_case}.merging.lock"


@contextmanager
def unmerged(settings: Settings, use_case: str) -> Iterator[None]:
    """Nobody else on this host merges files of the use case's tables in the block."""
    busy = Unavailable(
        f"Files of the tables of {use_case!r} have been merged or deleted by another process for "
        f"{MERGE_WAIT_S} s; try again later."
    )
    with locked(merging_lock(settings, use_case), lambda: busy, MERGE_WAIT_S):
        yield


def store_lock(settings: Settings) -> FileLock:
    """One per tracking store: beside a sqlite file, whatever tables are worked on with it."""
    if not settings.store_uri.startswith(SQLITE):
        return FileLock(lock_folder(settings) / "store.lock")
    settings.home.mkdir(parents=True, exist_ok=True)
    file = sqlite_file(settings.store_uri)
    return FileLock(file.with_name(f"{file.name}.lock"))


@contextmanager
def locked(
    file: Path,
    otherwise: Callable[[], Exception],
    wait_s: float = 0.0,
    give_up: Callable[[], bool] | None = None,
    poll_s: float = 0.05,
) -> Iterator[None]:
    """Hold a lock in the block, as the only process of this host.

    Another holder is waited for up to `wait_s`, or until `give_up` says so, which is asked every
    `poll_s`; raises what `otherwise` makes where it still holds the lock then.
    """
    try:
        lock = FileLock(file).acquire(timeout=wait_s, poll_interval=poll_s, cancel_check=give_up)
    except Timeout:
        raise otherwise() from None
    with lock:
        yield


@contextmanager
def alone(settings: Settings, name: str, wait_s: float) -> Iterator[None]:
    """Be the only process of this host in the block; Busy where another holds `name` for `wait_s`
    seconds."""
    busy = Busy(
        f"Another process has held {name!r} for {wait_s:g} s; nothing was done here, so try "
        "again later."
    )
    with locked(lock_folder(settings) / f"{name}.lock", lambda: busy, wait_s):
        yield
