"""A Parquet file, or a folder of them."""

import pyarrow as pa
import pyarrow.parquet

from contract.errors import BadInput
from contract.use_case.model import UseCase


def read(use_case: UseCase) -> pa.Table:
    """All rows; a folder is read as one table."""
    path = use_case.source.parquet
    try:
        return pyarrow.parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"source.parquet: {path} can't be read: {error}") from error
