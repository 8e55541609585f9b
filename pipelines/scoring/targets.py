"""Where answers go: a file, which is there when it is whole, a folder of them, a Delta table."""

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.fs
from deltalake import DeltaTable

from contract.addresses import misread, storage_options
from contract.errors import BadInput
from contract.store.exactly_once import ExactlyOnceWriter
from pipelines.scoring.job import TargetState
from pipelines.scoring.places import is_delta
from pipelines.scoring.stage import Stage, commit_once, staged, writer_of
from pipelines.scoring.staging import drop, parquet_writer, rows_of
from pipelines.sources.files import S3, place_of

SUFFIXES = (".parquet", ".csv")
SET_APART = "quarantine"
BLOCK = 1 << 20  # bytes


class Writing(Protocol):
    """Answers on their way to a target: nobody sees them before they are published."""

    def write(self, rows: pa.Table) -> None:
        """Add rows."""

    def take(self, address: str) -> None:
        """Add the rows of a staged file."""

    def publish(self) -> None:
        """Let all of them appear at once."""


class AnswerTarget(Protocol):
    """One place for the answers of a job."""

    @property
    def address(self) -> str:
        """Its path or URL."""

    def started_ms(self, job: str, state: TargetState) -> int:
        """When the job whose answers stand there first began; 0: they do not."""

    def standing(self) -> str:
        """What is kept of what stands there, by which a change from outside is noticed."""

    def set_apart(self) -> "AnswerTarget":
        """The place for rows that did not fit."""

    def writing(
        self, job: str, started_ms: int, schema: pa.Schema, scratch: Path
    ) -> AbstractContextManager[Writing]:
        """A context in which a `Writing` takes rows; leftovers of killed jobs go."""

    def clear(self) -> None:
        """Take away what an earlier job left where this one leaves nothing."""


def address_of(asked: str) -> str:
    """The target that was asked for as a whole address; BadInput where it can be none."""
    wanted = "a .parquet or .csv file, a folder (answers/) or a Delta table"
    if not asked:
        raise BadInput(f"target: {wanted} is needed, found none.")
    slash = "/" if asked.endswith("/") else ""
    if asked.startswith(S3):
        return asked
    path = Path(asked).expanduser().absolute()
    if "://" in asked or not path.parent.is_dir() or (path.is_file() and slash):
        raise BadInput(f"target: {wanted} in a folder that exists is needed, found {asked!r}.")
    if path.suffix in SUFFIXES or slash or is_delta(str(path)):
        return str(path) + slash
    if path.is_dir():
        return f"{path}/"
    if path.suffix or misread(str(path)):
        raise BadInput(f"target: {wanted} is needed, found {asked!r}.")
    return str(path)


def target_of(address: str, job: str) -> AnswerTarget:
    """What an address stands for: in a folder each job has a file of its own."""
    plain = address.rstrip("/")
    if is_delta(plain):
        return DeltaTarget(plain)
    if address.endswith("/"):
        return FileTarget(f"{plain}/{job}.parquet", in_folder=True)
    return FileTarget(address) if address.endswith(SUFFIXES) else DeltaTarget(address)


@dataclass(frozen=True)
class FileTarget:
    """A Parquet or CSV file, on a disk or in S3, which a newer job replaces."""

    address: str
    in_folder: bool = False

    def standing(self) -> str:
        """Size and time of the file; "" where there is none."""
        filesystem, path = place_of(self.address, "target")
        info = filesystem.get_file_info(path)
        return f"{info.size} bytes of {info.mtime_ns} ns" if info.is_file else ""

    def started_ms(self, job: str, state: TargetState) -> int:
        """Known on this host alone; elsewhere the same answers take the place of these."""
        same = state.job == job and state.standing and state.standing == self.standing()
        return state.started_ms if same else 0

    def set_apart(self) -> AnswerTarget:
        """A file of its own beside it, in a folder where readers of the folder pass it over."""
        start, _, suffix = self.address.rpartition(".")
        if self.in_folder:
            folder, _, name = self.address.rpartition("/")
            return FileTarget(f"{folder}/_{SET_APART}/{name}")
        return FileTarget(f"{start}.{SET_APART}.{suffix}")

    @contextmanager
    def writing(
        self, job: str, started_ms: int, schema: pa.Schema, scratch: Path
    ) -> Iterator[Writing]:
        """An older file stays until the new one is whole, and for good when something fails."""
        if self.address.startswith(S3):
            with _staged_upload(self.address, schema, scratch) as upload:
                yield upload
            return
        path = Path(self.address)
        path.parent.mkdir(parents=True, exist_ok=True)
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            leftover.unlink(missing_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file, _writer(file, path.suffix, schema) as writer:
                yield NewFile(file, writer, path, part)
        finally:
            part.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete the file."""
        filesystem, path = place_of(self.address, "target")
        if filesystem.get_file_info(path).is_file:
            filesystem.delete_file(path)


@dataclass(frozen=True)
class _OpenFile:
    """A file that takes rows, and its writer."""

    file: IO[bytes]
    writer: Any

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self.writer.write_table(rows)

    def take(self, address: str) -> None:
        """Add the rows of a staged file, and delete it."""
        for rows in rows_of(address):
            self.write(rows)
        drop(address)


@dataclass(frozen=True)
class NewFile(_OpenFile):
    """A file beside the one whose name it is to have."""

    path: Path
    part: Path

    def publish(self) -> None:
        """Give it its name, when it is on the disk for good."""
        self.writer.close()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.part.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _staged_upload(address: str, schema: pa.Schema, scratch: Path) -> Iterator[Writing]:
    """A file that goes to S3 as one object when it is whole."""
    suffix = Path(address).suffix
    with tempfile.TemporaryFile(dir=scratch) as file, _writer(file, suffix, schema) as writer:
        yield Upload(file, writer, address)


@dataclass(frozen=True)
class Upload(_OpenFile):
    """A file on its way to S3."""

    address: str

    def publish(self) -> None:
        """Put the object; it is there when the last byte was taken."""
        self.writer.close()
        self.file.seek(0)
        filesystem, path = place_of(self.address, "target")
        with filesystem.open_output_stream(path) as opened:
            while block := self.file.read(BLOCK):
                opened.write(block)


@dataclass(frozen=True)
class DeltaTarget:
    """A Delta table, to which each job adds its rows in one commit."""

    address: str

    def standing(self) -> str:
        """Nothing: the table itself says which jobs it holds."""
        return ""

    def started_ms(self, job: str, state: TargetState) -> int:
        """As the job's commit says."""
        if not is_delta(self.address):
            return 0
        return ExactlyOnceWriter(self._table()).last(writer_of(job))

    def set_apart(self) -> AnswerTarget:
        """A table of its own beside it."""
        return DeltaTarget(f"{self.address}_{SET_APART}")

    @contextmanager
    def writing(
        self, job: str, started_ms: int, schema: pa.Schema, scratch: Path
    ) -> Iterator[Writing]:
        """Rows wait in a file without a name until their commit."""
        with staged(scratch, schema) as stage:
            yield NewRows(self, job, started_ms, stage)

    def clear(self) -> None:
        """Nothing: the rows of earlier jobs are theirs."""

    def intake(self, schema: pa.Schema) -> ExactlyOnceWriter:
        """The table opened once; it is made where there is none."""
        options = storage_options(self.address)
        DeltaTable.create(self.address, schema=schema, mode="ignore", storage_options=options)
        return ExactlyOnceWriter(self._table())

    def _table(self) -> DeltaTable:
        return DeltaTable(self.address, storage_options=storage_options(self.address))


@dataclass(frozen=True)
class NewRows:
    """Rows on their way to a Delta table."""

    target: DeltaTarget
    job: str
    started_ms: int
    stage: Stage

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self.stage.write(rows)

    def take(self, address: str) -> None:
        """Add the rows of a staged file."""
        self.stage.take(address)

    def publish(self) -> None:
        """Commit them, unless the job's are there."""
        schema = self.stage.schema
        commit_once(lambda: self.target.intake(schema), self.job, self.started_ms, self.stage)


def _writer(file: IO[bytes], suffix: str, schema: pa.Schema) -> Any:
    kind = parquet_writer if suffix == ".parquet" else pyarrow.csv.CSVWriter
    return kind(file, schema)
