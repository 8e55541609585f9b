"""How often a race or a kill is tried: few by `make test`, the full count by `make faults`."""

import os

FULL = "FOURCYCLE_FAULT_ROUNDS"


def rounds(few: int, full: int) -> int:
    """`full` where the environment says FOURCYCLE_FAULT_ROUNDS=full, else `few`."""
    return full if os.environ.get(FULL) == "full" else few
