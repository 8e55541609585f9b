"""The record of answered rows and of feedback: in the worker's spool before the answer leaves."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contract.settings import LogFullPolicy, LogSync, Settings
from contract.use_case import UseCase
from serving.answered import LogFull
from serving.record import FEEDBACK_FOLDER, Record, Schema, encode, kind_of
from serving.spool import Entry, Spool

logger = logging.getLogger(__name__)


class Log:
    """Requests that wait at the same moment share one write and one fdatasync.

    All of its state belongs to the event loop; a thread of its own makes the calls that block.
    """

    def __init__(self, spool: Spool, sync: LogSync, full: LogFullPolicy) -> None:
        self.sync, self.full = sync, full
        self.rows_logged = 0
        self.rows_not_logged = 0
        self.problem = ""  # why the newest record could not be written; "" when it was
        self._spool = spool
        self._declared: tuple[UseCase, str] | None = None
        self._waiting: list[tuple[Entry, asyncio.Future[str]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "spool")

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
        written: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        problem = await written
        if not problem:
            self.rows_logged += entry.rows
            return True
        self.rows_not_logged += entry.rows
        if self.full == "reject":
            raise LogFull(f"It could not be logged: {problem}; try again later.")
        return False

    async def close(self) -> None:
        """Write what waits and close the segment; the log is not used afterwards."""
        if self._writing:
            await self._writing
        if self._closing:
            self._closing.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._spool.close)
        self._thread.shutdown()

    async def _write(self) -> None:
        """Write in groups until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            entries = [entry for entry, _ in group]
            try:
                problem = await loop.run_in_executor(self._thread, self._try_to_write, entries)
            except Exception as error:  # a fault of ours: who waits must hear of it
                for _, written in group:
                    if not written.done():
                        written.set_exception(error)
                continue
            if problem != self.problem:
                logger.warning("the log: %s", problem or "it takes records again")
            self.problem = problem
            for _, written in group:
                if not written.done():  # its caller may have gone away
                    written.set_result(problem)
        self._writing = None
        if self._closing is None:
            self._closing = asyncio.create_task(self._close_when_due())

    def _try_to_write(self, entries: list[Entry]) -> str:
        try:
            self._spool.write(entries, sync=self.sync == "fsync")
        except OSError as error:
            return error.strerror or type(error).__name__
        return ""

    async def _close_when_due(self) -> None:
        """A segment is shipped when it is old, whether or not requests follow."""
        loop = asyncio.get_running_loop()
        while (left := await loop.run_in_executor(self._thread, self._spool.close_due)) is not None:
            await asyncio.sleep(left)
        self._closing = None


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
