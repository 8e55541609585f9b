"""Why a pass of the shipper failed, in words that everybody may read.

`/ready` shows them. A library's own words may hold addresses and values of rows; they go to the
log.
"""

import os
import re

from contract.errors import FourcycleError
from contract.store.sql import did_not_answer

SYSTEM_SAID = re.compile(r"os error (\d+)")  # how deltalake tells it


def reason_of(error: Exception) -> str:
    """The reason without a full stop."""
    if isinstance(error, FourcycleError):
        return str(error).rstrip(".")
    text = str(error)
    if did_not_answer(error):
        return f"the store of the tables does not answer ({type(error).__name__})"
    if said := SYSTEM_SAID.search(text):
        return os.strerror(int(said[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}, the log of the service has more"
