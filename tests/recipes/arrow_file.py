"""A file in Arrow's own format, which notebooks write as Feather."""

import pyarrow as pa
import pyarrow.feather

from contract.errors import BadInput
from contract.use_case.model import UseCase
from pipelines.sources.newer import Newer
from pipelines.sources.parts import wanted


def read(use_case: UseCase, _: Newer | None = None) -> pa.Table:
    """The wanted columns; BadInput where the file is not there or of another format."""
    path = str(getattr(use_case.source, "arrow"))  # noqa: B009  # the field is declared by the recipe
    try:
        rows = pyarrow.feather.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"source.arrow: {path} can't be read: {error}") from error
    return rows.select(list(wanted(rows.column_names, use_case, f"source.arrow: {path}").values()))
