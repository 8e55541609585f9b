"""A forgetting that dies: `python dying_forget.py <folder> <key> <calls>`.

It ends like a kill -9 at the given number of calls into, or returns from, the code that rewrites
tables.
"""

import os
import sys
from pathlib import Path
from types import FrameType

from pipelines.forget import forget
from pipelines.runtime.workspace import Workspace
from tests.support.answered import opened

REWRITING = ("forget.py", "retention.py", "upkeep.py", "tables.py")
KILLED = 9


def counted(workspace: Workspace, key: str, last: int = 0) -> int:
    """Forget; how many calls and returns there were, of which the `last` ends the process."""
    seen = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal seen
        if Path(frame.f_code.co_filename).name in REWRITING:
            seen += 1
            if seen == last:
                os._exit(KILLED)

    sys.setprofile(count)
    forget(workspace, key)
    sys.setprofile(None)
    return seen


def main(folder: str, key: str, calls: str) -> None:
    counted(opened(Path(folder)), key, int(calls))


if __name__ == "__main__":
    main(*sys.argv[1:])
