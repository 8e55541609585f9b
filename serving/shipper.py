"""Shipper: move closed spool segments into `predictions` and `feedback`, each row exactly once.

One per host and use case, under a file lock; a second one waits.
"""

import os

if __name__ == "__main__":
    # Read by allocators and by deltalake when they are loaded: memory goes back to the system soon,
    # and threads do not come with the number of cores (decision 39).
    for variable, sparing in {
        "_RJEM_MALLOC_CONF": "narenas:1,background_thread:false,dirty_decay_ms:1000",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "MIMALLOC_PURGE_DELAY": "0",
        "TOKIO_WORKER_THREADS": "1",
    }.items():
        os.environ.setdefault(variable, sparing)

import logging
import random
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from contract.command import run
from contract.errors import BadInput, Busy, Unavailable
from contract.settings import read_settings
from contract.store.locks import FOREVER, locked, merging_lock
from contract.store.tables import Tables
from serving.log.record import FEEDBACK_FOLDER
from serving.log.spool import make_folder
from serving.scoring.cache import Cache
from serving.shipping.old_spool import LOCK_FILE, OldSpool, left_alone
from serving.shipping.record_kinds import FEEDBACK
from serving.shipping.shadow import Shadow
from serving.shipping.shipper import Shipper

LONGEST_PAUSE_S = 60.0
LOCK_POLL_S = 1.0
PARENT_POLL_S = 0.5
JITTER = 0.3  # of a pause

logger = logging.getLogger(__name__)


def keep_shipping(shippers: Sequence[Shipper], every_s: float, stop: threading.Event) -> str:
    """Ship until told to stop, and once more then; what that last time left and why, or ""."""
    pause_s = every_s
    while True:
        last = stop.is_set()
        problem = "; ".join(filter(None, [shipper.attempt() for shipper in shippers]))
        if last:
            waiting = [shipper.waiting for shipper in shippers]
            return "; ".join(filter(None, [problem, *waiting]))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if problem else every_s
        # Hosts that were started together, or lost the store together, must not meet each time.
        stop.wait(pause_s * random.uniform(1, 1 + JITTER))  # noqa: S311


def main(
    name: Annotated[str, typer.Option(help="Use case whose answers are shipped.")] = "flights",
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
    drain: Annotated[str, typer.Option(help="yes: ship what is there, then end.")] = "",
    parent: Annotated[str, typer.Option(help="Process id after whose end this one ends.")] = "",
) -> None:
    """Move the answers and feedback that this host's workers have spooled into their tables."""
    if drain not in ("", "yes", "no"):
        raise BadInput(f"drain: yes or no is needed, found {drain!r}.")
    settings = read_settings(root)
    folder = settings.spool_folder(name)
    make_folder(folder)
    make_folder(folder / FEEDBACK_FOLDER)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if drain == "yes":
        stop.set()
    if parent:
        watch = threading.Thread(target=_end_after, args=(int(parent), stop), daemon=True)
        watch.start()
    busy = Busy(f"Another shipper works on {folder}; nothing was done here.")
    with locked(folder / LOCK_FILE, lambda: busy, FOREVER, stop.is_set, LOCK_POLL_S):
        for waiting in left_alone(settings.shared_spools, folder) if settings.shared_spools else ():
            logger.warning("%s", waiting)
        shadow = (
            Shadow(Cache(settings.cache_root / name), name, code=settings.code_folder)
            if settings.serve_shadow
            else None
        )
        tables = Tables(settings.table_root, name)
        ours = shippers(folder, tables, shadow, settings.shared_spools)
        for one in ours:
            one.merging = merging_lock(settings, name)
        problem = keep_shipping(ours, settings.ship_every_s, stop)
    if problem:
        raise Unavailable(f"The spool {folder} keeps what could not be shipped: {problem}")


def _end_after(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent and not stop.wait(PARENT_POLL_S):
        pass
    stop.set()


def shippers(
    folder: Path, tables: Tables, shadow: Shadow | None = None, shared: Path | None = None
) -> list[Shipper]:
    """One for each kind of record; `shared` holds the spools of several roots, once all in one."""
    ours = [
        Shipper(folder, tables, shadow=shadow),
        Shipper(folder / FEEDBACK_FOLDER, tables, FEEDBACK),
    ]
    if shared:
        place = shared / folder.name
        for shipper, old in zip(ours, (place, place / FEEDBACK_FOLDER), strict=True):
            shipper.old = OldSpool(old, place / LOCK_FILE)
    return ours


if __name__ == "__main__":
    run(main)
