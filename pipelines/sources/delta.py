"""A Delta table by its address, at a version or the newest."""

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from contract.addresses import misread
from contract.errors import BadInput
from contract.store import sql as engine
from contract.store.tables import storage_options
from contract.use_case.model import UseCase


def read(use_case: UseCase) -> pa.Table:
    """All rows of the table."""
    delta = use_case.source.delta
    assert delta is not None, "the kind is delta"
    if part := misread(delta.path):
        raise BadInput(
            f"source.delta: {delta.path!r} can't be read, for Delta reads {part!r} in a path as "
            "something else; name a folder without it."
        )
    options = storage_options(delta.path)
    try:
        table = DeltaTable(delta.path, version=delta.version, storage_options=options)
    except TableNotFoundError as error:
        raise BadInput(f"source.delta: no Delta table at {delta.path}.") from error
    return engine.answer("SELECT * FROM t", {"t": table})
