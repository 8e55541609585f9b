"""The start of a command, whose libraries take seconds to import."""

import gc
import sys
from types import TracebackType

MADE = 100_000  # objects, less those that were dropped, after which garbage is looked for (700)


def say_one_line() -> None:
    """From now on an interruption that nothing else meets is one line and no trace."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _told


def collect_seldom() -> None:
    """Nothing that is imported is garbage, and to look for some was a tenth of a start."""
    gc.set_threshold(MADE)


def keep_imported() -> None:
    """What is there now stays, and is not looked through again, nor when the process ends."""
    if not gc.get_freeze_count():  # later, what has become garbage would stay, too
        gc.freeze()


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("Stopped.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
