"""The record of answered rows and of feedback: in the worker's spool before the answer leaves."""

import asyncio
import logging
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

from contract.settings import LogFullPolicy, LogSync, Settings
from contract.use_case import UseCase
from serving.answered import LogFull
from serving.record import FEEDBACK_FOLDER, Record, Schema, encode, kind_of
from serving.spool import Entry, Spool

logger = logging.getLogger(__name__)

RETRY_S = 1.0  # after a fault while a segment was closed
CLOSED = "it is closed"  # of a log that its service has ended with

Waiting = tuple[Entry, asyncio.Future[str]]


class Log:
    """Requests that wait at the same moment share one write and one fdatasync.

    A thread of its own makes the calls that block. Under `os` a record that fits into the open
    segment is written where the request is answered: for the 4 µs that the kernel takes to copy
    it, handing it to a thread would cost 20 and waiting there more.
    """

    def __init__(self, spool: Spool, sync: LogSync, full: LogFullPolicy) -> None:
        self.sync, self.full = sync, full
        self.rows_logged = 0
        self.rows_not_logged = 0
        self.problem = ""  # why the newest write or close failed; "" when it did not
        self._spool, self._spool_in_use = spool, threading.Lock()
        self._closed = False
        self._declared: tuple[UseCase, str] | None = None
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    @property
    def folder(self) -> Path:
        """Where the spool is."""
        return self._spool.folder

    def declare(self, use_case: UseCase) -> str:
        """Make the columns of a use case known before its first record; their schema hash."""
        if self._declared is None or self._declared[0] is not use_case:
            schema = Schema.of(use_case)
            self._spool.describe(schema.schema_hash, encode(schema))
            self._declared = use_case, schema.schema_hash
        return self._declared[1]

    async def append(self, record: Record) -> bool:
        """Whether the record is as durable as `log_sync` asks; LogFull under policy `reject`."""
        if self.sync == "off":
            return False
        entry = Entry(kind_of(record), record.schema_hash, record.n_rows, encode(record))
        problem = CLOSED if self._closed else self._write_here(entry)
        if problem is None:
            problem = await self._write_in_a_group(entry)
        if problem != self.problem:
            logger.warning("the log: %s", problem or "it takes records again")
            self.problem = problem
        if not problem:
            self.rows_logged += entry.rows
            return True
        self.rows_not_logged += entry.rows
        if self.full == "reject":
            raise LogFull(f"It could not be logged: {problem}; try again later.")
        return False

    async def close(self) -> None:
        """Write what waits and close the segment; from now on nothing can be logged."""
        self._closed = True  # so nothing is ever queued behind the end
        self._queue.put(None)
        if self._loop:
            await asyncio.to_thread(self._thread.join)

    def _write_here(self, entry: Entry) -> str | None:
        """The problem, as of `_try_to_write`; None where the thread has to write."""
        if self.sync == "fsync" or not self._spool_in_use.acquire(blocking=False):
            return None
        try:
            return self._try_to_write([entry]) if self._spool.has_room(entry) else None
        finally:
            self._spool_in_use.release()

    async def _write_in_a_group(self, entry: Entry) -> str:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread.start()
        written: asyncio.Future[str] = self._loop.create_future()
        self._queue.put((entry, written))
        return await written

    def _run(self) -> None:
        """The thread: write groups, and close a segment that is old whether or not one comes."""
        assert self._loop
        due_s, closing = None, False
        while not closing:
            group, closing = self._next_group(due_s)
            with self._spool_in_use:
                if group:
                    outcome = self._outcome([entry for entry, _ in group])
                    self._loop.call_soon_threadsafe(_tell, group, outcome)
                due_s = self._close_segment(closing)

    def _close_segment(self, closing: bool) -> float | None:
        """Close it at the end, or when it is old; seconds until it will be, None without one."""
        try:
            if not closing:
                return self._spool.close_due()
            self._spool.close()
        except Exception as error:  # a fault of ours must not end the thread that all wait for
            self.problem = f"a segment can't be closed ({type(error).__name__})"
            logger.exception("the log: %s", self.problem)
            return RETRY_S
        return None

    def _next_group(self, timeout_s: float | None) -> tuple[list[Waiting], bool]:
        """All who wait now, or the first who comes in time; and whether to close afterwards."""
        group: list[Waiting] = []
        try:
            while (waiting := self._queue.get(not group, timeout_s)) is not None:
                group.append(waiting)
        except Empty:
            return group, False
        return group, True

    def _outcome(self, entries: list[Entry]) -> str | Exception:
        try:
            return self._try_to_write(entries)
        except Exception as error:  # a fault of ours: who waits must hear of it
            return error

    def _try_to_write(self, entries: list[Entry]) -> str:
        try:
            self._spool.write(entries, sync=self.sync == "fsync")
        except OSError as error:
            return error.strerror or type(error).__name__
        return ""


def _tell(group: list[Waiting], outcome: str | Exception) -> None:
    for _, written in group:
        if written.done():  # its caller has gone away
            continue
        if isinstance(outcome, Exception):
            written.set_exception(outcome)
        else:
            written.set_result(outcome)


def open_log(settings: Settings, use_case: str) -> Log:
    """The log of one worker's answers, as the settings ask for it."""
    spool = _spool(settings, settings.spool_folder(use_case))
    return Log(spool, settings.log_sync, settings.log_full)


def open_feedback_log(settings: Settings, use_case: str) -> Log:
    """The log of one worker's feedback: what is not in it was not accepted."""
    spool = _spool(settings, settings.spool_folder(use_case) / FEEDBACK_FOLDER)
    return Log(spool, settings.log_sync, "reject")


def _spool(settings: Settings, folder: Path) -> Spool:
    return Spool(folder, settings.log_segment_bytes, settings.log_segment_s)
