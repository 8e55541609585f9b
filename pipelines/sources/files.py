"""Files by address: one, a folder or a glob of them, on a disk or in S3, packed or not."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs

from contract.errors import BadInput, Unavailable

# Endings of the files that a folder is searched for; a glob takes whatever it names.
ENDINGS = {
    "csv": (".csv", ".tsv", ".txt"),
    "parquet": (".parquet", ".parq", ".pq"),
    "json": (".jsonl", ".ndjson", ".json"),
}
PACKED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
}
PACKED_ENDINGS = (".gz", ".zst", ".bz2", ".lz4")
EXCEL = (
    "an Excel file can't be read: save the sheet as CSV, or read it in a Python loader (python:)"
)
PICKLE = (
    "a pickle can't be read, for opening one runs code that stands in it: write its rows as "
    "Parquet where it was made"
)
ARCHIVE = "a zip archive can't be read: unpack it, or pack its files with gzip or zstd"
STRANGE = {
    (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"): EXCEL,
    (".pkl", ".pickle", ".joblib"): PICKLE,
    (".zip",): ARCHIVE,
}
STRANGE_BYTES = {
    b"\xd0\xcf\x11\xe0": EXCEL,
    b"PK\x03\x04": "an Excel file or another archive can't be read: save it as CSV, or unpack it",
    **{bytes([0x80, protocol]): PICKLE for protocol in range(2, 6)},
}
S3 = "s3://"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # how a folder's name says null
AWAY = re.compile(
    r"NETWORK_CONNECTION|timed? ?out|connect to|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SourceFile:
    """The address of a file, and what the names of the folders above it say: `day=2024-03-01`."""

    address: str
    values: dict[str, str | None]


def find(address: str, kind: str) -> list[SourceFile]:
    """The files of a kind (a key of ENDINGS) in the order of their names.

    BadInput where there is none, Unavailable where S3 does not answer.
    """
    where = f"source.{kind}"
    with failing(where, address):
        filesystem, path = place_of(address, where)
        paths = _paths(filesystem, path, kind, where)
    for path in paths:
        _refuse_strange_name(path, where)
    start = S3 if address.startswith(S3) else ""
    return [SourceFile(start + path, _folder_values(path)) for path in paths]


def stream(address: str, kind: str) -> pa.NativeFile:
    """The bytes of a file from its begin, unpacked where they say that they are packed."""
    where = f"source.{kind}"
    with failing(where, address):
        filesystem, path = place_of(address, where)
        whole = filesystem.open_input_file(path)
        head = whole.read(4)
        whole.seek(0)
    for start, why in STRANGE_BYTES.items():
        if head.startswith(start):
            raise BadInput(f"{where}: {address}: {why}.")
    packed = next((codec for start, codec in PACKED.items() if head.startswith(start)), None)
    return pa.CompressedInputStream(whole, packed) if packed else whole


def place_of(address: str, where: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """What holds a file, and its path there; BadInput where nothing of ours can open it."""
    if address.startswith(S3):
        names = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")
        endpoint, *regions = (os.environ.get(name, "") for name in names)
        return _s3(endpoint, next(filter(None, regions), None)), address.removeprefix(S3).rstrip(
            "/"
        )
    if "://" in address:
        raise BadInput(f"{where}: a path or an s3:// address is needed, found {address!r}.")
    return pyarrow.fs.LocalFileSystem(), str(Path(address).absolute())


@cache
def _s3(endpoint: str, region: str | None) -> pyarrow.fs.FileSystem:
    """S3 by the AWS_* variables, by which Delta's tables are opened, too."""
    scheme, _, host = endpoint.rpartition("://")
    return pyarrow.fs.S3FileSystem(
        endpoint_override=host or None,
        scheme=scheme or "https",
        region=region,
        connect_timeout=5,
        request_timeout=30,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=3),
    )


def _paths(filesystem: pyarrow.fs.FileSystem, path: str, kind: str, where: str) -> list[str]:
    info = filesystem.get_file_info(path)
    if info.type == pyarrow.fs.FileType.File:
        return [path]
    if info.type == pyarrow.fs.FileType.Directory:
        inside = _below(filesystem, path)
        if any("/_delta_log/" in name[len(path) :] for name in inside):
            raise BadInput(
                f"{where}: {path} is a Delta table, some of whose files may be of older versions; "
                "declare it as delta: {path: …}."
            )
        found = [name for name in inside if _plain_name(name).endswith(ENDINGS[kind])]
        found = [name for name in found if not _hidden(name[len(path) :])]
        asked = f"no {' or '.join(ENDINGS[kind])} file in the folder {path}; a glob takes others"
    elif re.search(r"[*?\[]", path):
        base = path[: re.search(r"[*?\[]", path).start()].rpartition("/")[0]  # type: ignore[union-attr]
        try:
            pattern = re.compile(_as_regex(path), re.DOTALL)
        except re.error:  # [z-a]
            raise BadInput(
                f"{where}: {path} is no glob: what stands in brackets is no range of signs."
            ) from None
        found = [name for name in _below(filesystem, base or "/") if pattern.fullmatch(name)]
        asked = f"no file is named like {path}"
    else:
        found, asked = [], f"no file or folder {path}"
    if not found:
        raise BadInput(f"{where}: {asked}.")
    return sorted(found)


def _below(filesystem: pyarrow.fs.FileSystem, folder: str) -> list[str]:
    selector = pyarrow.fs.FileSelector(folder, allow_not_found=True, recursive=True)
    return [
        info.path
        for info in filesystem.get_file_info(selector)
        if info.type == pyarrow.fs.FileType.File
    ]


def _as_regex(pattern: str) -> str:
    """`*` within a name, `**` across folders, `?` one character, `[...]` one of some."""
    parts = re.split(r"(\*\*/?|\*|\?|\[[^\]]+\])", pattern)
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        signs.get(part) or (part.replace("[!", "[^") if part[:1] == "[" else re.escape(part))
        for part in parts
    )


def _plain_name(path: str) -> str:
    name = path.lower()
    for ending in PACKED_ENDINGS:
        name = name.removesuffix(ending)
    return name


def _hidden(path: str) -> bool:
    """Whether writers of tables mean that readers pass over it, as `_SUCCESS` and `.crc`."""
    return any(part.startswith((".", "_")) and "=" not in part for part in path.split("/"))


def _folder_values(path: str) -> dict[str, str | None]:
    pairs = [part.partition("=") for part in path.split("/")[:-1] if "=" in part]
    return {
        unquote(name): None if value == NO_VALUE else unquote(value) for name, _, value in pairs
    }


def _refuse_strange_name(path: str, where: str) -> None:
    for endings, why in STRANGE.items():
        if path.lower().endswith(endings):
            raise BadInput(f"{where}: {path}: {why}.")


@contextmanager
def failing(where: str, address: str) -> Iterator[None]:
    """BadInput in place of what systems say of a file, Unavailable where S3 does not answer."""
    try:
        yield
    except OSError as error:
        if AWAY.search(str(error)):
            raise Unavailable(f"{where}: the store of {address} does not answer: {error}") from None
        raise BadInput(f"{where}: {address} can't be read: {error}") from error
