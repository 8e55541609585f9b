"""Which kind of source an address is: what the first bytes say before what the name says."""

import pyarrow.fs

from contract.errors import BadInput
from pipelines.sources.files import ENDINGS, SourceFile, failing, find, place_of, stream

HEAD_BYTES = 1024
# First bytes of files that hold tables, and how to have them read.
OTHERS = {
    b"SQLite format 3\x00": "a database of SQLite; declare source.sql in a use case of its own",
    b"ARROW1": "an Arrow (Feather) file; write its rows as Parquet",
    b"\x89HDF": "an HDF5 file; write its table as CSV or Parquet",
    b"<": "a page of HTML or XML; write its table as CSV",
    b"[": "one JSON array; write one object in each line",
    b"ORC": "an ORC file; write its rows as Parquet",
}


def kind_of(address: str) -> tuple[str, list[SourceFile]]:
    """csv, parquet or json, and the files there; BadInput where it is none of them."""
    for kind in _kinds(address):
        files = find(address, kind)
        with failing("data", files[0].address), stream(files[0].address, kind) as content:
            head = content.read(HEAD_BYTES)
        return _of_bytes(head, files[0].address), files
    endings = ", ".join(ending for known in ENDINGS.values() for ending in known)
    raise BadInput(f"data: no file that ends in {endings} is in the folder {address}.")


def _kinds(address: str) -> list[str]:
    """The kinds whose files are there: a folder is searched by endings."""
    filesystem, path = place_of(address, "data")
    with failing("data", address):
        if filesystem.get_file_info(path).type != pyarrow.fs.FileType.Directory:
            return ["csv"]  # a file or a glob, of which the first bytes tell
    found = []
    for kind in ENDINGS:
        try:
            find(address, kind)
            found.append(kind)
        except BadInput as error:
            if "Delta table" in str(error):
                raise
    if len(found) > 1:
        raise BadInput(f"data: {address} holds files of kinds {', '.join(found)}; name one by *.")
    return found


def _of_bytes(head: bytes, address: str) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise BadInput(f"data: {address} is empty; a line of names and rows are needed.")
    for start, said in OTHERS.items():
        if text.startswith(start):
            raise BadInput(f"data: {address} is {said}.")
    return "json" if text.startswith(b"{") else "csv"
