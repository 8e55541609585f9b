"""A folder or a place in an object store, and copies between them with their digests."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import pyarrow.fs
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, S3FileSystem
from pydantic import BaseModel, ConfigDict

from contract.errors import BadInput
from tracking.locations import local_folder

S3 = "s3://"
SERVED = "mlflow-artifacts:"
CHUNK = 1 << 20  # bytes


class StoredFile(BaseModel):
    """What a copy must be."""

    model_config = ConfigDict(frozen=True)
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Place:
    """Files below one address, by their names relative to it."""

    files: FileSystem
    path: str

    @classmethod
    def of(cls, address: str) -> "Place":
        """The place at a path, a file:// or an s3:// address; BadInput where it is none."""
        if address.startswith(S3):
            return cls(_s3(), address.removeprefix(S3).rstrip("/"))
        folder = local_folder(address)
        if folder is None:
            raise BadInput(f"A folder or an s3:// address is needed, found {address!r}.")
        return cls(LocalFileSystem(), str(folder.expanduser().resolve()))

    def names(self, recursive: bool = True) -> list[str]:
        """Files here, or what stands at the top; none where there is no such place."""
        wanted = FileSelector(self.path, allow_not_found=True, recursive=recursive)
        infos = self.files.get_file_info(wanted)
        there = [i for i in infos if not recursive or i.type == FileType.File]
        return sorted(os.path.relpath(info.path, self.path) for info in there)

    def read(self, name: str) -> bytes:
        """A whole file; FileNotFoundError where there is none."""
        with self.files.open_input_stream(f"{self.path}/{name}") as stream:
            return bytes(stream.read())

    def write(self, name: str, content: bytes) -> None:
        """A small file."""
        with self._new(name) as stream:
            stream.write(content)

    def take(self, name: str, source: "Place", original: str) -> StoredFile:
        """Copy a file of another place to here; what it is. FileNotFoundError where it is gone."""
        digest, size = hashlib.sha256(), 0
        # The source first: where it is gone, nothing is made here.
        opened = source.files.open_input_stream(f"{source.path}/{original}")
        with opened as stream, self._new(name) as copy:
            for chunk in _chunks(stream):
                digest.update(chunk)
                copy.write(chunk)
                size += len(chunk)
        return StoredFile(size=size, sha256=digest.hexdigest())

    def drop(self, name: str) -> None:
        """Delete a file, or a folder with all that is in it."""
        path = f"{self.path}/{name}"
        if self.files.get_file_info(path).type == FileType.Directory:
            self.files.delete_dir(path)
        else:
            self.files.delete_file(path)

    def _new(self, name: str) -> BinaryIO:
        path = f"{self.path}/{name}"
        if isinstance(self.files, LocalFileSystem):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        stream: BinaryIO = self.files.open_output_stream(path)
        return stream


def behind_server(location: str, destination: str) -> str:
    """The address of what a tracking server hands out at `mlflow-artifacts:/...`; "" for others.

    `destination` is where the server keeps artifacts; BadInput where that was not said.
    """
    if not location.startswith(SERVED):
        return ""
    if not destination:
        raise BadInput(
            "artifacts: a tracking server hands out the artifacts of this store; name what it was "
            "started with as --artifacts-destination."
        )
    return f"{destination.rstrip('/')}/{urlsplit(location).path.strip('/')}"


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _s3() -> S3FileSystem:
    """By the AWS_* variables, as Delta's tables are opened."""
    scheme, _, host = os.environ.get("AWS_ENDPOINT_URL", "").rpartition("://")
    return S3FileSystem(
        endpoint_override=host or None,
        scheme=scheme or "https",
        connect_timeout=5,
        request_timeout=30,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=3),
    )
