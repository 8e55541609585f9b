"""Why a pass of the shipper failed, in words that everybody may read.

`/ready` shows them. A library's own words may hold addresses and values of rows; they go to the
log.
"""

import os
import re

from contract.errors import FourcycleError

# How deltalake tells what the system said, and that an object store did not answer.
SYSTEM_SAID = re.compile(r"os error (\d+)")
NO_ANSWER = ("Generic S3 error", "error sending request", "Connection refused")


def reason_of(error: Exception) -> str:
    """The reason without a full stop."""
    if isinstance(error, FourcycleError):
        return str(error).rstrip(".")
    text = str(error)
    if any(words in text for words in NO_ANSWER):
        return f"the store of the tables does not answer ({type(error).__name__})"
    if said := SYSTEM_SAID.search(text):
        return os.strerror(int(said[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}, the log of the service has more"
