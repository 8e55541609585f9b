"""The record of answered rows and of feedback: in the worker's spool before the answer leaves."""

import asyncio
import logging
from functools import partial
from pathlib import Path

from contract.settings import LogFullPolicy, LogSync, Settings
from contract.use_case.model import UseCase
from serving.log.group_commit import GroupCommit, Settled
from serving.log.prediction_record import LogFull
from serving.log.record import FEEDBACK_FOLDER, Record, RecordSchema, encode, kind_of
from serving.log.spool import REMOVED, SpoolEntry
from serving.log.writer import WriterOptions

logger = logging.getLogger(__name__)


class Log:
    """What is asked of the log: how durable, and what happens when it can't be."""

    def __init__(
        self, folder: Path, max_bytes: int, max_age_s: float, sync: LogSync, full: LogFullPolicy
    ) -> None:
        self.folder, self.sync, self.full = folder, sync, full
        self.options = WriterOptions(str(folder.absolute()), max_bytes, max_age_s, sync == "fsync")
        self.problem = ""  # why the newest record could not be written; "" when it could
        self.lost = ""  # what was lost since this worker began, and why; "" when nothing was
        self._commit = GroupCommit(self.options)
        self._declared: tuple[UseCase, str] | None = None
        self._was_there = False  # its folder, at an earlier look

    def declare(self, use_case: UseCase) -> str:
        """Pass on the columns of a use case before its first record; their schema hash."""
        if self._declared is None or self._declared[0] is not use_case:
            schema = RecordSchema.of(use_case)
            self._commit.describe(schema.schema_hash, encode(schema))
            self._declared = use_case, schema.schema_hash
        return self._declared[1]

    async def start(self) -> None:
        """Start its writer now, so that the first request does not wait for it."""
        if self.sync != "off" and (problem := await self._commit.start()):
            logger.warning("the log: %s", problem)

    async def append(self, record: Record) -> bool:
        """Whether the record is as durable as `log_sync` asks; LogFull under policy `reject`."""
        written: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.hand_over(record, partial(_tell, written))
        return self.settle(await written)

    def hand_over(self, record: Record, settled: Settled) -> None:
        """Take a record; `settled` hears the problem, or "" once `settle` may be asked about it."""
        if self.sync == "off":
            settled("")
            return
        entry = SpoolEntry(kind_of(record), record.schema_hash, record.n_rows, encode(record))
        self._commit.commit(entry, settled)

    def settle(self, problem: str) -> bool:
        """Whether a record is logged that met this problem, or none; LogFull as `append`.

        A record whose process writes it itself (serving.endpoints.large_bodies) is settled here.
        """
        if self.sync == "off":
            return False
        if problem != self.problem:
            logger.warning("the log: %s", problem or "it takes records again")
            self.problem = problem
            self.lost = problem if problem.startswith(REMOVED) else self.lost
        if not problem:
            return True
        if self.full == "reject":
            raise LogFull(f"It could not be logged: {problem}; try again later.")
        return False

    def is_gone(self) -> bool:
        """Whether the folder was there at an earlier look and is not now; records make it anew."""
        there = self.folder.is_dir()
        self._was_there |= there
        return self._was_there and not there

    async def close(self) -> None:
        """Write what waits and close the segment; from now on nothing can be logged."""
        await self._commit.close()


def _tell(waiting: asyncio.Future[str], problem: str) -> None:
    if not waiting.done():  # its caller has gone away
        waiting.set_result(problem)


def open_log(settings: Settings, use_case: str) -> Log:
    """The log of one worker's answers, as the settings ask for it."""
    return _log(settings, settings.spool_folder(use_case), settings.log_full)


def open_feedback_log(settings: Settings, use_case: str) -> Log:
    """The log of one worker's feedback: what is not in it was not accepted."""
    return _log(settings, settings.spool_folder(use_case) / FEEDBACK_FOLDER, "reject")


def _log(settings: Settings, folder: Path, full: LogFullPolicy) -> Log:
    size, age_s = settings.log_segment_bytes, settings.log_segment_s
    return Log(folder, size, age_s, settings.log_sync, full)
