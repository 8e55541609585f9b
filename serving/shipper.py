"""Shipper: move closed spool segments into `predictions` and `feedback`, each row exactly once.

One per host and use case, under a file lock; a second one waits. What a pass does, in this order:
close what dead writers left, and for one batch of segments after another: read it, put what can't
be read into quarantine, commit the rows together with each spool's newest sequence number, sync the
table's files, delete the segments. Killed anywhere, the next pass finds in the table how far this
one came. A segment of which something can't be copied into quarantine stays when its rows are in
the table: what others leave makes room for the copy.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from contract.command import run
from contract.errors import BadInput, Busy, Unavailable
from contract.settings import read_settings
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.locks import FOREVER, locked
from contract.store.tables import Tables
from serving.log.record import FEEDBACK_FOLDER
from serving.log.spool import Segment, close_leftovers, closed_segments, make_folder, sync_folder
from serving.scoring.cache import Cache
from serving.shipping import quarantine
from serving.shipping.batch import Limits, batches, collector_off, columns, fit
from serving.shipping.old_spool import LOCK_FILE, OldSpool, left_alone
from serving.shipping.quarantine import UnreadableBytes
from serving.shipping.record_kinds import FEEDBACK, PREDICTIONS, RecordKind
from serving.shipping.segment_rows import SegmentRecords, read_segment
from serving.shipping.shadow import Shadow
from serving.shipping.shipper_status import STATUS_FILE, ShipperStatus, status_now, write_status

REASONS_TOLD = 5
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
        cargo: RecordKind = PREDICTIONS,
        most: Limits = Limits(),  # noqa: B008, it is frozen
        shadow: Shadow | None = None,
    ) -> None:
        self.folder, self.tables, self.cargo, self.most = folder, tables, cargo, most
        self.shadow = shadow
        self.old: OldSpool | None = None
        self.rows_shipped = 0
        self.elsewhere = ""  # what waits in the old spool, and why
        self.stuck: dict[str, str] = {}  # by spool id, or by segment whose rows are shipped: why
        self._gaps: set[tuple[str, int]] = set()  # spool, sequence: what a listing did not show

    def drain(self) -> None:
        """Ship until nothing closed is left; the last pass changed nothing.

        It says how far it is after each pass: under load a next one always finds something.
        """
        gaps = None
        while self.ship() or gaps != self._gaps:
            gaps = set(self._gaps)
            self._say(self.waiting)

    def ship(self) -> int:
        """One pass over all that is closed now; how many segments it took off the spool.

        Nothing of a spool is passed over: what came after it would count it as shipped.
        """
        before, self.stuck = self.stuck, close_leftovers(self.folder)
        known, self._gaps = self._gaps, set()
        taken = 0
        for batch in batches(closed_segments(self.folder), self.most):
            with collector_off():
                done = self._commit(self._read(batch), known)
            for segment in done:
                segment.path.unlink(missing_ok=True)
            sync_folder(self.folder)
            taken += len(done)
        for _, why in sorted(self.stuck.items() - before.items()):
            logger.warning("%s; others go on", why)
        return taken

    def attempt(self) -> str:
        """Ship what is there; why that failed, "" when it did not."""
        problem = ""
        try:
            self._take_over()
            self.drain()
        except Exception as error:  # whatever the store says, the spool is safe: try again
            problem = f"{type(error).__name__}: {error}"
            logger.warning("%s not shipped, to be tried again: %s", self.cargo.table, problem)
        self._say("; ".join(filter(None, [problem, self.waiting])))
        return problem

    @property
    def waiting(self) -> str:
        """What stays in the spool until somebody or something helps, and why; "" for nothing."""
        told = [*filter(None, [self.elsewhere]), *self.stuck.values()]
        more = [f"{len(told) - REASONS_TOLD} more wait"] if len(told) > REASONS_TOLD else []
        return "; ".join([*told[:REASONS_TOLD], *more])

    def _take_over(self) -> None:
        before = self.elsewhere
        if self.old:
            self.elsewhere = self.old.take_over(self.folder, self.tables, self.cargo.table)
        if self.elsewhere not in ("", before):
            logger.warning("%s", self.elsewhere)

    def _say(self, problem: str) -> None:
        try:
            write_status(self.folder, self._status(problem))
        except Exception as error:  # a full disk must not end the one who empties it
            logger.warning("%s could not be written: %s", STATUS_FILE, error)

    def _status(self, problem: str) -> ShipperStatus:
        shadow = self.shadow.status if self.shadow else None
        return status_now(self.folder, self.rows_shipped, problem, shadow)

    def _read(self, batch: list[Segment]) -> list[SegmentRecords]:
        parts = []
        for segment in batch:
            if segment.spool_id in self.stuck:
                continue
            try:
                parts.append(read_segment(segment, self.cargo))
            except OSError as error:
                why = f"{segment.path.name} can't be read, its spool waits: {error.strerror}"
                self.stuck[segment.spool_id] = why
        return parts

    def _commit(self, parts: list[SegmentRecords], known: set[tuple[str, int]]) -> list[Segment]:
        """Bring what is due into the table; the segments that may go."""
        described = columns(parts, self.cargo, pa.schema([]))
        if not described:  # nothing to commit, so no mark either
            return self._copied(parts, {})
        self.tables.create(self.cargo.table, described, self.cargo.partition_by)
        intake = self.tables.intake(self.cargo.table)
        already, due = self._split(parts, intake.last, known)
        wanted = columns(parts, self.cargo, intake.schema)
        again, fitted = fit(already, self.cargo, wanted), fit(due, self.cargo, wanted)
        going = self._copied(already, again.misfits)
        if going:  # an earlier pass ended between its commit and its sync
            intake.settle([])
        going += self._copied(due, fitted.misfits)
        if fitted.rows.num_rows:
            self._append(intake, fitted.rows, due)
        return going

    def _append(self, intake: ExactlyOnceWriter, rows: pa.Table, due: list[SegmentRecords]) -> None:
        if self.shadow:
            rows = self.shadow.beside(rows)
        before = int(intake.table.version())
        upto = {part.segment.spool_id: part.segment.sequence for part in due}
        version = intake.append(rows, upto)
        intake.settle(range(before + 1, version + 1))
        self.rows_shipped += rows.num_rows

    def _split(
        self,
        parts: list[SegmentRecords],
        last: Callable[[str], int],
        known: set[tuple[str, int]],
    ) -> tuple[list[SegmentRecords], list[SegmentRecords]]:
        """What the table holds already, and what follows it without a gap.

        A listing of a folder in which names change may miss one. A number passed over would count
        as shipped, so what lies behind a gap waits for the next listing to show the same.
        """
        already, due = [], []
        upto: dict[str, int] = {}
        for part in parts:
            spool_id, sequence = part.segment.spool_id, part.segment.sequence
            if spool_id not in upto:  # the table is slow to answer
                upto[spool_id] = last(spool_id)
            reached = upto[spool_id]
            if sequence <= reached:
                already.append(part)
                continue
            if sequence > reached + 1:
                self._gaps.add((spool_id, sequence))
                if (spool_id, sequence) not in known:
                    continue
            upto[spool_id] = sequence
            due.append(part)
        return already, due

    def _copied(
        self, parts: list[SegmentRecords], misfits: Mapping[Segment, Sequence[UnreadableBytes]]
    ) -> list[Segment]:
        """Copy into quarantine what does not reach the table; the segments that need not stay."""
        copied = []
        for part in parts:
            segment = part.segment
            unread = [*part.unread, *misfits.get(segment, [])]
            try:
                quarantine.keep(self.folder / "quarantine", segment, unread)
            except OSError as error:
                why = f"{segment.path.name} holds what can't be read, nor copied to quarantine"
                self.stuck[segment.path.name] = f"{why}: {error.strerror}"
            else:
                copied.append(segment)
        return copied


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
    busy = Busy(f"Another shipper works on {folder}; nothing was done here.")
    with locked(folder / LOCK_FILE, lambda: busy, FOREVER, stop.is_set, LOCK_POLL_S):
        for waiting in left_alone(settings.shared_spools, folder) if settings.shared_spools else ():
            logger.warning("%s", waiting)
        shadow = Shadow(Cache(settings.cache_root / name), name) if settings.serve_shadow else None
        tables = Tables(settings.table_root, name)
        ours = shippers(folder, tables, shadow, settings.shared_spools)
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
