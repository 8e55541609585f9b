"""Rows that come as a pandas frame, as an arrow table."""

import pandas as pd
import pyarrow as pa


def from_pandas(frame: pd.DataFrame) -> pa.Table:
    """The columns of a frame without its index; one of mixed types becomes text."""
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # A column of mixed types: hand it on as text, so that validation names it.
        mixed = {str(c): frame[c].astype(str) for c in frame if _is_mixed(frame[c])}
        return pa.Table.from_pandas(frame.assign(**mixed), preserve_index=False)


def _is_mixed(values: pd.Series) -> bool:
    try:
        pa.Array.from_pandas(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return True
    return False
