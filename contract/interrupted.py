"""Ctrl-C before a command's own code runs, while libraries are imported: one line and no trace."""

import sys
from types import TracebackType


def say_one_line() -> None:
    """From now on an interruption that nothing else meets is one line."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _told


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("Stopped.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
