"""A shipper that may die: `python ship.py <spool> <root> <calls>`.

It ends like a kill -9 at the given number of calls into, or returns from, the code that ships; 0:
it lives, and prints how many there were.
"""

import os
import sys
from pathlib import Path
from types import FrameType

from contract.store.tables import Tables
from serving.shipping.shipper import Shipper

SHIPPING = ("shipper.py", "intake.py", "tables.py", "quarantine.py", "spool.py")
KILLED = 9


def main(folder: str, root: str, calls: str) -> None:
    seen = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal seen
        if Path(frame.f_code.co_filename).name in SHIPPING:
            seen += 1
            if seen == int(calls):
                os._exit(KILLED)

    shipper = Shipper(Path(folder), Tables(root, "made"))
    sys.setprofile(count)
    shipper.drain()
    sys.setprofile(None)
    print(seen)


if __name__ == "__main__":
    main(*sys.argv[1:])
