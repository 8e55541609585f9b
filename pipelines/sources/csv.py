"""A CSV file with a head line. Cells may hold line breaks; an empty cell is null."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.csv

from contract.errors import BadInput
from contract.store.schema import TYPES
from contract.use_case.model import UseCase
from pipelines.sources.files import SourceFile, stream
from pipelines.sources.newer import Newer
from pipelines.sources.parts import read_files

LINES = pyarrow.csv.ParseOptions(newlines_in_values=True)


def cells(use_case: UseCase, kinds: Collection[str] = tuple(TYPES)) -> pyarrow.csv.ConvertOptions:
    """Read columns of these declared types by them, others as their cells look."""
    types = {n: TYPES[c.type] for n, c in use_case.columns.items() if c.type in kinds}
    return pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)


def read(use_case: UseCase, newer: Newer | None = None) -> pa.Table:
    """All rows. Text is read as declared: an identifier like 007 keeps its zeros."""
    text = cells(use_case, ("string",))  # what else is not as declared is for validation to name

    def read_file(file: SourceFile) -> pa.Table:
        try:
            with stream(file.address, "csv") as text_file:
                return pyarrow.csv.read_csv(text_file, parse_options=LINES, convert_options=text)
        except pa.ArrowInvalid as error:
            raise BadInput(f"source.csv: {file.address} can't be read: {error}") from error

    return read_files(str(use_case.source.csv), "csv", use_case, newer, read_file)
