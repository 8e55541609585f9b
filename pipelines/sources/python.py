"""A Python function that answers a pandas frame or an arrow table."""

import importlib
import sys

import pandas as pd
import pyarrow as pa

from contract.errors import BadInput
from contract.use_case.model import UseCase
from pipelines.sources.frames import from_pandas


def read(use_case: UseCase) -> pa.Table:
    """What the function `module:name` answers."""
    module_name, _, function = str(use_case.source.python).partition(":")
    # A loader may stand beside its use case, outside this repository.
    if use_case.source.folder not in sys.path:
        sys.path.append(use_case.source.folder)
    try:
        loader = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise BadInput(
            f"source.python: {use_case.source.python} can't be loaded: {error}"
        ) from error
    frame = loader()
    if isinstance(frame, pa.Table):
        return frame
    if not isinstance(frame, pd.DataFrame):
        kind = type(frame).__name__
        raise BadInput(f"source.python: a data frame was expected, the loader gave {kind}.")
    return from_pandas(frame)
