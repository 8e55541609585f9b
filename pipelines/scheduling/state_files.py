"""Where the scheduler keeps what it knows: one small file for each job, beside the tables' locks.

The states belong to one host, as the processes do that they name; MLflow may be away while they
must be written. Each change is one atomic rename.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from contract.errors import Busy
from contract.settings import Settings
from contract.store.locks import lock_folder, locked
from contract.use_case.sections.schedule import Job
from pipelines.scheduling.due import JobState


@dataclass(frozen=True)
class JobStates:
    """The folder of one use case on this host."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, use_case: str) -> "JobStates":
        """The folder, made where needed."""
        folder = lock_folder(settings) / f"{use_case}.schedule"
        folder.mkdir(exist_ok=True)
        return cls(folder)

    def read(self, job: Job) -> JobState:
        """What is known of a job. What can't be read is nothing: then the job is due at once."""
        try:
            return msgspec.json.decode(self._file(job).read_bytes(), type=JobState)
        except (FileNotFoundError, msgspec.MsgspecError):
            return JobState()

    def write(self, job: Job, state: JobState) -> None:
        """Replace what is known, on the disk for good."""
        fresh = self.folder / f"{job}.json.new"
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(state)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file(job))

    def log(self, job: Job) -> Path:
        """What a job's processes say."""
        return self.folder / f"{job}.log"

    @contextmanager
    def held(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Be the only one on this host that runs these jobs; Busy where there is another."""
        with ExitStack() as stack:
            for job in jobs:
                stack.enter_context(locked(self.folder / f"{job}.lock", partial(self._busy, job)))
            yield

    def _busy(self, job: Job) -> Busy:
        return Busy(
            f"Another scheduler on this host does {job} of "
            f"{self.folder.name.removesuffix('.schedule')!r}; nothing was done here."
        )

    def _file(self, job: Job) -> Path:
        return self.folder / f"{job}.json"
