"""A Parquet file, or a folder or glob of them. Only the wanted columns are read."""

import pyarrow as pa
import pyarrow.parquet

from contract.errors import BadInput
from contract.use_case.model import UseCase
from pipelines.sources.files import SourceFile, failing, place_of, stream
from pipelines.sources.newer import Newer
from pipelines.sources.parts import read_files, wanted


def read(use_case: UseCase, newer: Newer | None = None) -> pa.Table:
    """All rows, or those of row groups with something newer."""

    def read_file(file: SourceFile) -> pa.Table:
        try:
            with failing("source.parquet", file.address):
                return _read(file.address, use_case, newer)
        except pa.ArrowException as error:
            raise BadInput(f"source.parquet: {file.address} can't be read: {error}") from error

    return read_files(str(use_case.source.parquet), "parquet", use_case, newer, read_file)


def _read(address: str, use_case: UseCase, newer: Newer | None) -> pa.Table:
    with stream(address, "parquet") as file:
        schema = pyarrow.parquet.ParquetFile(file).schema_arrow
    names = list(wanted(schema.names, use_case, f"source.parquet: {address}"))
    filters = None
    if newer and newer.column in names:
        filters = newer.rows_of(schema.field(newer.column).type)
    filesystem, path = place_of(address, "source.parquet")
    return pyarrow.parquet.read_table(
        path,
        columns=names,
        filters=filters,
        filesystem=filesystem,
        partitioning=None,  # Arrow would guess the types of what the folders say
    )
