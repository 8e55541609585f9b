"""How often a race or a kill is tried: few by `make test`, the full count by `make faults`."""

import os

# Read once, since each test cleans the environment of our settings.
FULL = os.environ.get("FOURCYCLE_FAULT_ROUNDS") == "full"


def rounds(few: int, full: int) -> int:
    """`full` where the environment says FOURCYCLE_FAULT_ROUNDS=full, else `few`."""
    return full if FULL else few
