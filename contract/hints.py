"""Commands that a person can type next, as they work in this person's shell."""

import os
import shlex
import shutil
import sys
from pathlib import Path

COMMAND = "fourcycle"


def typed(step: str, use_case: str = "", **options: str) -> str:
    """A command of ours with its use case, such as `fourcycle history --use-case flights`."""
    return _joined(_fourcycle(), step, use_case, options)


def written(step: str, use_case: str = "", **options: str) -> str:
    """The same in what is read elsewhere later, in mail, in MLflow or in the ledger: the bare name.

    Where the command lies on this host says nothing there.
    """
    return _joined(COMMAND, step, use_case, options)


def _joined(command: str, step: str, use_case: str, options: dict[str, str]) -> str:
    given = ({"use-case": use_case} if use_case else {}) | options
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return shlex.join([command, *step.split(), *words])


def _fourcycle() -> str:
    """The bare name where the shell finds it, else where it lies: nobody has to activate `.venv`.

    make puts our environment on the PATH of what it starts, which tells nothing of the shell's.
    """
    ours = Path(sys.prefix)
    here = Path(".venv/bin") / COMMAND
    active = os.environ.get("VIRTUAL_ENV") == str(ours)
    found = None if "MAKELEVEL" in os.environ else shutil.which(COMMAND)
    if active or (found and Path(found).parent.resolve() == (ours / "bin").resolve()):
        return COMMAND
    if here.is_file() and here.parent.resolve() == (ours / "bin").resolve():
        return str(here)
    beside = ours / "bin" / COMMAND
    return str(beside) if beside.is_file() else COMMAND
