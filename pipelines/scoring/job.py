"""A job: what is answered by which package. The same job is done once, whoever asks for it."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import msgspec

from contract.errors import Busy
from contract.settings import Settings
from contract.store.locks import lock_folder, locked
from contract.store.rows.fingerprint import value_hash

DIGITS = 32  # of a job's id


def job_id(model: str, version: str, digest: str, source: str) -> str:
    """The id of a job: model, version and digest of its package, and the source's version."""
    return value_hash({"model": model, "version": version, "digest": digest, "source": source})[
        :DIGITS
    ]


def request_id(job: str, started_ms: int, part: int) -> str:
    """The id of a part of a job's rows, a UUIDv7 (RFC 9562): its time is the job's first start,
    its other bits are hashed from job and part. So a job that begins again gives the same ids."""
    digest = hashlib.sha256(f"{job}/{part}".encode()).digest()
    high, low = int.from_bytes(digest[:2]) & 0xFFF, int.from_bytes(digest[2:10]) & (1 << 62) - 1
    return str(UUID(int=started_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))


class TargetState(msgspec.Struct, frozen=True):
    """What is known of a target on this host: the job that it was last asked for."""

    job: str = ""
    started_ms: int = 0  # when that job first began
    standing: str = ""  # what stood there once the answers were there; "": they are not
    version: str = ""  # of the model
    rows: int = 0
    quarantined: int = 0
    flags: dict[str, int] = {}  # msgspec copies it


@dataclass(frozen=True)
class TargetStates:
    """Where it is kept, a small file for each target beside the locks of the tables."""

    file: Path

    @classmethod
    def of(cls, settings: Settings, use_case: str, target: str) -> "TargetStates":
        """Of one target of a use case; the folder is made where needed."""
        folder = lock_folder(settings) / f"{use_case}.batch"
        folder.mkdir(exist_ok=True)
        return cls(folder / f"{hashlib.sha256(target.encode()).hexdigest()[:16]}.json")

    def read(self) -> TargetState:
        """What is known; nothing where that can't be read: the job begins anew."""
        try:
            return msgspec.json.decode(self.file.read_bytes(), type=TargetState)
        except (FileNotFoundError, msgspec.MsgspecError):
            return TargetState()

    def write(self, state: TargetState) -> None:
        """Know this, on the disk for good."""
        fresh = self.file.with_suffix(".new")
        with fresh.open("wb") as opened:
            opened.write(msgspec.json.format(msgspec.json.encode(state)))
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(self.file)

    @contextmanager
    def held(self, target: str) -> Iterator[None]:
        """Be the only one on this host that writes to the target; Busy where another does."""
        busy = Busy(f"Another process writes answers to {target}; nothing was done here.")
        with locked(self.file.with_suffix(".lock"), lambda: busy):
            yield
