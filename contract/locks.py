"""Locks between processes of one host: advisory files, released when a process dies."""

import hashlib
from pathlib import Path

from filelock import FileLock

from contract.settings import Settings


def lock_folder(settings: Settings) -> Path:
    """One folder per host and table root."""
    if "://" in settings.table_root:
        digest = hashlib.sha256(settings.table_root.encode()).hexdigest()
        folder = Path.home() / ".cache/fourcycle" / digest[:16]
    else:
        folder = Path(settings.table_root) / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def store_lock(settings: Settings) -> FileLock:
    """Held around the first call to a tracking store: two first migrations at once break it."""
    return FileLock(lock_folder(settings) / "store.lock")
