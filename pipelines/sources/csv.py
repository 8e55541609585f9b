"""A CSV file with a head line. Cells may hold line breaks; an empty cell is null."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.csv

from contract.errors import BadInput
from contract.store.schema import TYPES
from contract.use_case.model import UseCase

LINES = pyarrow.csv.ParseOptions(newlines_in_values=True)


def cells(use_case: UseCase, kinds: Collection[str] = tuple(TYPES)) -> pyarrow.csv.ConvertOptions:
    """Read columns of these declared types by them, others as their cells look."""
    types = {n: TYPES[c.type] for n, c in use_case.columns.items() if c.type in kinds}
    return pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)


def read(use_case: UseCase) -> pa.Table:
    """All rows. Text is read as declared: an identifier like 007 keeps its zeros."""
    path = use_case.source.csv
    text = cells(use_case, ("string",))  # what else is not as declared is for validation to name
    try:
        return pyarrow.csv.read_csv(path, parse_options=LINES, convert_options=text)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"source.csv: {path} can't be read: {error}") from error
