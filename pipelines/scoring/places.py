"""Where the rows are that are to be answered: what an address on the command line names."""

from pathlib import Path
from typing import get_args

from deltalake import DeltaTable

from contract.addresses import misread, storage_options
from contract.errors import BadInput
from contract.names import TableName
from contract.use_case.model import UseCase
from contract.use_case.sections.source import BatchSource, Csv, Delta
from pipelines.sources.files import ENDINGS, PACKED_ENDINGS, find

NAMES = ", ".join(get_args(TableName))
WANTED = f"a .parquet, .csv or .jsonl file, a folder of them, a Delta table, or one of {NAMES}"


def place_of_rows(asked: str, version: str, use_case: UseCase) -> BatchSource:
    """The place that an address names; nothing asked: the one that `batch` declares.

    `version` is that of a Delta table, "" for the newest. BadInput where nothing of ours reads it.
    """
    at = _version(version)
    if asked:
        place = _named(asked, at, use_case)
    elif use_case.batch:
        place = use_case.batch.source
    else:
        raise BadInput(f"source: {WANTED} is needed; no batch is declared, either.")
    if at is not None and not asked and place.delta:
        delta = place.delta.model_copy(update={"version": at})
        place = place.model_copy(update={"delta": delta})
    if at is not None and place.kind not in ("delta", "table"):
        raise BadInput(f"source_version: only tables have versions, and {place.place} is none.")
    return place


def is_delta(address: str) -> bool:
    """Whether a Delta table stands at an address."""
    if misread(address) or ("://" not in address and not Path(address).is_dir()):
        return False
    return bool(DeltaTable.is_deltatable(address, storage_options(address)))


def _named(asked: str, version: int | None, use_case: UseCase) -> BatchSource:
    if asked in get_args(TableName):
        return BatchSource.model_validate({"table": asked})
    address = asked if "://" in asked else str(Path(asked).expanduser().absolute())
    if is_delta(address):
        return BatchSource(delta=Delta(path=address, version=version))
    kind = _kind(asked, address)
    if kind == "csv":
        form = use_case.csv_format.model_dump(exclude={"path"})
        return BatchSource(csv=Csv(path=address, **form))
    return BatchSource.model_validate({kind: address})


def _kind(asked: str, address: str) -> str:
    """The kind of a file by its ending, of a folder by the first kind of files in it."""
    plain = address.lower()
    for ending in PACKED_ENDINGS:
        plain = plain.removesuffix(ending)
    for kind, endings in ENDINGS.items():
        if plain.endswith(endings):
            return kind
    for kind in ENDINGS if not Path(address).is_file() else ():
        try:
            find(address, kind)
        except BadInput:  # no file of this kind; perhaps one of the next
            continue
        return kind
    raise BadInput(f"source: {WANTED} is needed, found {asked!r}.")


def _version(text: str) -> int | None:
    if text and not text.isdecimal():
        raise BadInput(f"source_version: a whole number is needed, found {text!r}.")
    return int(text) if text else None
