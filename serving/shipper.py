"""Shipper: move closed spool segments into `predictions` and `feedback`, each row exactly once.

One per host and use case, under a file lock; a second one waits. What a pass does, in this order:
close what dead writers left, read a batch of segments, put what can't be read into quarantine,
commit the rows together with each spool's newest sequence number, sync the table's files, delete
the segments. Killed anywhere, the next pass finds in the table how far this one came.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from filelock import FileLock, Timeout

from contract.command import run
from contract.errors import BadInput, Busy, Unavailable
from contract.settings import read_settings
from contract.tables import Tables
from serving import quarantine
from serving.cache import Cache
from serving.cargo import FEEDBACK, PREDICTIONS, Cargo
from serving.prediction_rows import conform, widened
from serving.record import FEEDBACK_FOLDER
from serving.segment_rows import SegmentRows, read_segment, set_apart
from serving.shadow import Shadow
from serving.shipper_status import STATUS_FILE, ShipperStatus, status_now, write_status
from serving.spool import Segment, close_leftovers, closed_segments, make_folder, sync_folder

BATCH_BYTES = 64 * 1024 * 1024
LONGEST_PAUSE_S = 60.0
LOCK_POLL_S = 1.0
PARENT_POLL_S = 0.5

logger = logging.getLogger(__name__)


class Shipper:
    """Ships one spool folder; whoever calls it holds the folder's lock."""

    def __init__(
        self,
        folder: Path,
        tables: Tables,
        cargo: Cargo = PREDICTIONS,
        batch_bytes: int = BATCH_BYTES,
        shadow: Shadow | None = None,
    ) -> None:
        self.folder, self.tables, self.cargo, self.batch_bytes = folder, tables, cargo, batch_bytes
        self.shadow = shadow
        self.rows_shipped = 0
        self.stuck: dict[str, str] = {}  # by spool id: what could not be read, and why
        self._gaps: set[tuple[str, int]] = set()  # spool, sequence: what a listing did not show

    def drain(self) -> None:
        """Ship until nothing closed is left; the last pass changed nothing."""
        gaps = None
        while self.ship() or gaps != self._gaps:
            gaps = set(self._gaps)

    def ship(self) -> int:
        """One pass; how many segments it took off the spool."""
        batch, stuck = self._batch()
        for _, why in sorted(stuck.items() - self.stuck.items()):
            logger.warning("%s; its spool waits, others go on", why)
        self.stuck = stuck
        if not batch:
            return 0
        done = self._commit(batch)
        for segment in done:
            segment.path.unlink(missing_ok=True)
        sync_folder(self.folder)
        return len(done)

    def attempt(self) -> str:
        """Ship what is there; why that failed, "" when it did not."""
        problem = ""
        try:
            self.drain()
        except Exception as error:  # whatever the store says, the spool is safe: try again
            problem = f"{type(error).__name__}: {error}"
            logger.warning("%s not shipped, to be tried again: %s", self.cargo.table, problem)
        self._say("; ".join(filter(None, [problem, *self.stuck.values()])))
        return problem

    def _say(self, problem: str) -> None:
        try:
            write_status(self.folder, self._status(problem))
        except Exception as error:  # a full disk must not end the one who empties it
            logger.warning("%s could not be written: %s", STATUS_FILE, error)

    def _status(self, problem: str) -> ShipperStatus:
        shadow = self.shadow.status if self.shadow else None
        return status_now(self.folder, self.rows_shipped, problem, shadow)

    def _batch(self) -> tuple[list[SegmentRows], dict[str, str]]:
        """Segments, those of one spool in order, up to a size but one at least; and what is stuck.

        Nothing of a spool is passed over: what came after it would count it as shipped.
        """
        size = 0
        batch: list[SegmentRows] = []
        stuck = close_leftovers(self.folder)
        for segment in closed_segments(self.folder):
            if segment.spool_id in stuck:
                continue
            try:
                size += segment.path.stat().st_size
                if batch and size > self.batch_bytes:
                    break
                batch.append(read_segment(segment, self.cargo))
            except OSError as error:
                stuck[segment.spool_id] = f"{segment.path.name} can't be read: {error.strerror}"
        return batch, stuck

    def _commit(self, batch: list[SegmentRows]) -> list[Segment]:
        """Bring what is due into the table; the segments that may go."""
        schemas = [table.schema for part in batch for table in part.tables.values()]
        if not schemas:  # nothing to commit, so no mark either
            self._keep(batch)
            return [part.segment for part in batch]
        self.tables.create(self.cargo.table, schemas[0], self.cargo.partition_by)
        intake = self.tables.intake(self.cargo.table)
        already, due = self._split(batch, intake.last)
        if already:  # an earlier pass ended between its commit and its sync
            intake.settle([])
        self._keep(due)
        wanted = intake.schema
        for schema in schemas:
            wanted = widened(wanted, schema)
        rows = pa.concat_tables([wanted.empty_table(), *self._conformed(due, wanted)])
        if rows.num_rows:
            if self.shadow:
                rows = self.shadow.beside(rows)
            before = int(intake.table.version())
            upto = {part.segment.spool_id: part.segment.sequence for part in due}
            version = intake.append(rows, upto)
            intake.settle(range(before + 1, version + 1))
            self.rows_shipped += rows.num_rows
        return [*already, *(part.segment for part in due)]

    def _split(
        self, batch: list[SegmentRows], last: Callable[[str], int]
    ) -> tuple[list[Segment], list[SegmentRows]]:
        """What the table holds already, and what follows it without a gap.

        A listing of a folder in which names change may miss one. A number passed over would count
        as shipped, so what lies behind a gap waits for the next listing to show the same.
        """
        already, due, gaps = [], [], set()
        upto: dict[str, int] = {}
        for part in batch:
            spool_id, sequence = part.segment.spool_id, part.segment.sequence
            reached = upto.get(spool_id, last(spool_id))
            if sequence <= reached:
                already.append(part.segment)
                continue
            if sequence > reached + 1:
                gaps.add((spool_id, sequence))
                if (spool_id, sequence) not in self._gaps:
                    continue
            upto[spool_id] = sequence
            due.append(part)
        self._gaps = gaps
        return already, due

    def _conformed(self, due: list[SegmentRows], wanted: pa.Schema) -> Iterable[pa.Table]:
        """Rows in the table's columns; a schema whose types are others goes into quarantine."""
        for part in due:
            for schema_hash, table in part.tables.items():
                try:
                    yield conform(table, wanted)
                except pa.ArrowException as error:
                    unread = set_apart(part.segment, schema_hash, f"the table differs: {error}")
                    quarantine.keep(self.folder / "quarantine", part.segment, unread)

    def _keep(self, parts: list[SegmentRows]) -> None:
        for part in parts:
            quarantine.keep(self.folder / "quarantine", part.segment, part.unread)


def keep_shipping(shippers: Sequence[Shipper], every_s: float, stop: threading.Event) -> str:
    """Ship until told to stop, and once more then; what that last time left and why, or ""."""
    pause_s = every_s
    while True:
        last = stop.is_set()
        problem = "; ".join(filter(None, [shipper.attempt() for shipper in shippers]))
        if last:
            stuck = [why for shipper in shippers for why in shipper.stuck.values()]
            return "; ".join(filter(None, [problem, *stuck]))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if problem else every_s
        stop.wait(pause_s)


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
    lock = FileLock(folder / "shipper.lock")
    if not _locked(lock, stop):
        raise Busy(f"Another shipper works on {folder}; nothing was done here.")
    try:
        shadow = Shadow(Cache(settings.cache_root / name), name) if settings.serve_shadow else None
        tables = Tables(settings.table_root, name)
        problem = keep_shipping(shippers(folder, tables, shadow), settings.ship_every_s, stop)
    finally:
        lock.release()
    if problem:
        raise Unavailable(f"The spool {folder} keeps what could not be shipped: {problem}")


def _end_after(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent and not stop.wait(PARENT_POLL_S):
        pass
    stop.set()


def _locked(lock: FileLock, stop: threading.Event) -> bool:
    """Take the lock as soon as it is free; False when told to stop before that."""
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if stop.wait(LOCK_POLL_S):
                return False
        else:
            return True


def shippers(folder: Path, tables: Tables, shadow: Shadow | None = None) -> list[Shipper]:
    """One for each kind of record."""
    return [
        Shipper(folder, tables, shadow=shadow),
        Shipper(folder / FEEDBACK_FOLDER, tables, FEEDBACK),
    ]


if __name__ == "__main__":
    run(main)
