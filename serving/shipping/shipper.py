"""Ships one spool folder: its closed segments into their table, each row exactly once.

What a pass does, in this order: close what dead writers left, and for one batch of segments after
another: read it, put what can't be read into quarantine, commit the rows together with each spool's
newest sequence number, sync the table's files, delete the segments. Killed anywhere, the next pass
finds in the table how far this one came. A segment of which something can't be copied into
quarantine stays when its rows are in the table: what others leave makes room for the copy.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

import pyarrow as pa

from contract.errors import BadInput, Busy
from contract.store import upkeep
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.locks import locked
from contract.store.tables import Tables
from serving.log.spool import Segment, close_leftovers, closed_segments, sync_folder
from serving.shipping import quarantine
from serving.shipping.batch import Limits, batches, collector_off, columns, fit
from serving.shipping.failure import reason_of
from serving.shipping.old_spool import OldSpool
from serving.shipping.quarantine import UnreadableBytes
from serving.shipping.record_kinds import PREDICTIONS, RecordKind
from serving.shipping.segment_rows import SegmentRecords, read_segment
from serving.shipping.shadow import Shadow
from serving.shipping.shipper_status import STATUS_FILE, ShipperStatus, status_now, write_status

MOST_REASONS = 5  # in one message

logger = logging.getLogger(__name__)


class Shipper:
    """Ships one spool folder; whoever calls it holds the folder's lock."""

    def __init__(
        self,
        folder: Path,
        tables: Tables,
        kind: RecordKind = PREDICTIONS,
        most: Limits = Limits(),  # noqa: B008, it is frozen
        shadow: Shadow | None = None,
    ) -> None:
        self.folder, self.tables, self.kind, self.most = folder, tables, kind, most
        self.shadow = shadow
        self.old: OldSpool | None = None
        self.merging: Path | None = None  # lock file of whoever merges or deletes files
        self.rows_shipped = 0
        self.elsewhere = ""  # what waits in the old spool, and why
        self.stuck: dict[str, str] = {}  # by spool id, or by segment whose rows are shipped: why
        self._gaps: set[tuple[str, int]] = set()  # spool, sequence: what a listing did not show

    def drain(self) -> None:
        """Ship until nothing closed is left; the last pass changed nothing.

        It writes how far it is after each pass: under load a next one always finds something.
        """
        gaps = None
        while self.ship() or gaps != self._gaps:
            gaps = set(self._gaps)
            self._report(self.waiting)

    def ship(self) -> int:
        """One pass over all that is closed now; how many segments it took off the spool.

        Nothing of a spool is passed over: what came after it would count it as shipped.
        """
        reported, self.stuck = self.stuck, close_leftovers(self.folder)
        earlier_gaps, self._gaps = self._gaps, set()
        taken = 0
        for batch in batches(closed_segments(self.folder), self.most):
            with collector_off():
                done = self._commit(self._read(batch), earlier_gaps)
            for segment in done:
                segment.path.unlink(missing_ok=True)
            sync_folder(self.folder)
            taken += len(done)
        for _, why in sorted(self.stuck.items() - reported.items()):
            logger.warning("%s; others go on", why)
        return taken

    def attempt(self) -> str:
        """Ship what is there; why that failed, "" when it did not."""
        problem = ""
        try:
            self._take_over()
            self.drain()
        except Exception as error:  # whatever the store says, the spool is safe: try again
            problem = reason_of(error)
            whole = f"{type(error).__name__}: {error}"
            logger.warning("%s not shipped, to be tried again: %s", self.kind.table, whole)
        self._report("; ".join(filter(None, [problem, self.waiting])))
        return problem

    @property
    def waiting(self) -> str:
        """What stays in the spool until somebody or something helps, and why; "" for nothing."""
        reasons = [*filter(None, [self.elsewhere]), *self.stuck.values()]
        others = len(reasons) - MOST_REASONS
        more = [f"{others} more wait"] if others > 0 else []
        return "; ".join([*reasons[:MOST_REASONS], *more])

    def _take_over(self) -> None:
        before = self.elsewhere
        if self.old:
            self.elsewhere = self.old.take_over(self.folder, self.tables, self.kind.table)
        if self.elsewhere not in ("", before):
            logger.warning("%s", self.elsewhere)

    def _report(self, problem: str) -> None:
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
                parts.append(read_segment(segment, self.kind))
            except OSError as error:
                why = f"{segment.path.name} can't be read, its spool waits: {error.strerror}"
                self.stuck[segment.spool_id] = why
        return parts

    def _commit(
        self, parts: list[SegmentRecords], earlier_gaps: set[tuple[str, int]]
    ) -> list[Segment]:
        """Bring what is due into the table; the segments that may go."""
        described = columns(parts, self.kind, pa.schema([]))
        if not described:  # nothing to commit, so no mark either
            return self._copied(parts, {})
        intake = self._intake(described)
        already, due = self._split(parts, intake.last, earlier_gaps)
        wanted = columns(parts, self.kind, intake.schema)
        again, fitted = fit(already, self.kind, wanted), fit(due, self.kind, wanted)
        going = self._copied(already, again.misfits)
        if going:  # an earlier pass ended between its commit and its sync
            intake.settle([])
        going += self._copied(due, fitted.misfits)
        if fitted.rows.num_rows:
            self._append(intake, fitted.rows, due)
        return going

    def _intake(self, described: pa.Schema) -> ExactlyOnceWriter:
        try:
            return self.tables.intake(self.kind.table)
        except BadInput:  # there is none yet
            self.tables.create(self.kind.table, described, self.kind.partition_by)
            return self.tables.intake(self.kind.table)

    def _append(self, intake: ExactlyOnceWriter, rows: pa.Table, due: list[SegmentRecords]) -> None:
        if self.shadow:
            rows = self.shadow.fill(rows)
        before = int(intake.table.version())
        upto = {part.segment.spool_id: part.segment.sequence for part in due}
        version = intake.append(rows, upto)
        intake.settle(range(before + 1, version + 1))
        self.rows_shipped += rows.num_rows
        self._merge(intake, before)

    def _merge(self, intake: ExactlyOnceWriter, before: int) -> None:
        """Keep small files few; not while this host forgets or maintains."""
        version = int(intake.table.version())
        if not upkeep.is_due(before, version):
            return
        busy = Busy("Files are merged or deleted just now.")
        alone = locked(self.merging, lambda: busy) if self.merging else nullcontext()
        with suppress(Busy), alone:
            upkeep.merge(intake.table)
            intake.settle(range(version + 1, int(intake.table.version()) + 1))

    def _split(
        self,
        parts: list[SegmentRecords],
        last: Callable[[str], int],
        earlier_gaps: set[tuple[str, int]],
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
                if (spool_id, sequence) not in earlier_gaps:
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
