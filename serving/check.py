"""Check a version's folder: a worker loads it and answers its golden rows over HTTP.

`python -m serving.check <folder>` is the clean process of the release check: exit code 0 and a line
of JSON, or exit code 1 and the reason as the last line on stderr. Nothing of the folder is run.
In the place of a folder `-` lets it prepare itself and read what to check from standard input.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # while it prepares itself: nothing that is imported is garbage

import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from contract.errors import Refused, Unavailable
from contract.processes import started, to_end
from contract.settings import CODE_FOLDER
from contract.signing import SIGN
from serving.telemetry.metrics import SHARED

TOLD_LATER = "-"
REQUIREMENTS_FILE = "requirements.txt"
HERE = Path(__file__).resolve().parent.parent  # where Python finds our modules
CHECK_S = 300  # by the clock: the machine may have other things to do
CHECK_CPU_S = 60  # of cores: what a package may burn that comes to no end

# Folder, name, version, digest that the registry knows, whether the package is new here.
Check = Callable[[Path, str, str, str, bool], object]


def main(
    folder: Annotated[str, typer.Argument(help="Folder of the package; -: told later.")],
    name: Annotated[str, typer.Option(help="Registered model.")] = "model",
    number: Annotated[str, typer.Option("--version", help="Version number.")] = "0",
    registered: Annotated[str, typer.Option(help="Digest it must have; empty: any.")] = "",
    types: Annotated[str, typer.Option(help="yes: inspect the scikit-learn file too.")] = "",
) -> None:
    """Let a worker answer the golden rows of a package; look for what it would need."""
    from serving.http_check import ask  # the web framework, which nobody needs who starts a check

    if folder == TOLD_LATER:
        if types == "yes" and find_spec("skops"):
            import serving.scoring.sklearn_scorer  # noqa: F401  # now, not when the package is there

        if not (line := sys.stdin.readline()):
            return  # who started it has ended, or has nothing to check
        folder, name, number, registered = json.loads(line)
    gc.enable()
    served = ask(Path(folder), name, number, registered)
    if find_spec("skops"):  # else the package's pipeline can't be opened here, by anybody
        look_at_pipeline(Path(folder), types == "yes")
    rows = len(served.golden.expected.prediction) if served.golden else 0
    print(json.dumps({"digest": served.digest, "golden_rows": rows}))


def look_at_pipeline(folder: Path, types: bool) -> None:
    """Refused where the scikit-learn pipeline of a package can't be opened here, or must not be."""
    if missing := missing_requirements(folder):
        raise Refused(f"It needs what is not installed here: {', '.join(missing)}.")
    if types:
        from serving.scoring.sklearn_scorer import (  # scikit-learn takes seconds
            MODEL_FILE,
            foreign_types,
        )

        if foreign := foreign_types(folder):
            raise Refused(f"{MODEL_FILE} holds types that are not trusted: {', '.join(foreign)}.")


def missing_requirements(folder: Path) -> list[str]:
    """Packages that the version names and that are not installed.

    Another release of one is let pass: the golden rows tell whether it still answers the same.
    """
    lines = (folder / REQUIREMENTS_FILE).read_text(encoding="utf-8").split("\n")
    names = [m[0] for m in (re.match(r"[A-Za-z0-9][\w.-]*", line) for line in lines) if m]
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def check_apart(
    folder: Path,
    name: str,
    version: str,
    registered: str,
    new: bool,
    limit_s: float | None = None,
    code: Path | None = None,
) -> int:
    """Load and ask a package in a process of its own, so that it can break nothing here.

    The number of golden rows that it answered; Refused with its reason; Unavailable when the
    process was stopped before it could say. A package that is not `new` to this host is not
    searched for foreign types again. What its worker counts is not the service's. `code` is the
    folder of the user's own classes, None: the one that the environment names.
    """
    return PreparedCheck(new, code)(folder, name, version, registered, limit_s)


class PreparedCheck:
    """The process of one check, which imports what it needs before the package is there."""

    def __init__(self, new: bool = True, code: Path | None = None) -> None:
        environment = {k: value for k, value in os.environ.items() if k not in (SHARED, SIGN)}
        if code is not None:
            environment[CODE_FOLDER] = str(code.resolve())
        command = [sys.executable, "-m", "serving.check", TOLD_LATER]
        command += ["--types", "yes" if new else "no"]
        self._process = started(command, HERE, environment)

    def __call__(
        self,
        folder: Path,
        name: str,
        version: str,
        registered: str,
        limit_s: float | None = None,
    ) -> int:
        """What `check_apart` answers; once."""
        limit = CHECK_S if limit_s is None else limit_s
        asked = json.dumps([str(folder), name, version, registered])
        try:
            check = to_end(self._process, limit, asked + "\n")
        except TimeoutError:
            raise Unavailable(f"its check took longer than {limit:g} s") from None
        if check.code == -signal.SIGXCPU:
            raise Unavailable(f"its check took more than {CHECK_CPU_S} s of a core")
        if check.code == -signal.SIGKILL:
            raise Unavailable("its check was killed, perhaps for want of memory")
        if check.code:
            raise Refused(check.reason)
        return int(json.loads(check.output)["golden_rows"])

    def close(self) -> None:
        """End a process that has nothing to check."""
        to_end(self._process)


class CheckAhead:
    """`check_apart`, with the process of the first new package started at once: on an empty cache
    the first answer waits for nothing longer than for that."""

    def __init__(self) -> None:
        self._ahead: PreparedCheck | None = PreparedCheck()

    def __call__(self, folder: Path, name: str, version: str, registered: str, new: bool) -> int:
        """What `check_apart` answers."""
        if new and self._ahead:
            ahead, self._ahead = self._ahead, None
            return ahead(folder, name, version, registered)
        return check_apart(folder, name, version, registered, new)

    def close(self) -> None:
        """End the process where there was nothing to check."""
        if self._ahead:
            self._ahead.close()
            self._ahead = None


def run() -> None:
    """Parse, check, and turn every failure into one line and exit code 1."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    burn = CHECK_CPU_S if most == resource.RLIM_INFINITY else min(CHECK_CPU_S, most)
    resource.setrlimit(resource.RLIMIT_CPU, (burn, most))  # then the system ends it by SIGXCPU
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except Exception as error:  # whatever a broken package does, the answer is no, with a reason
        kind = "" if isinstance(error, Refused) else f"{type(error).__name__}: "
        typer.echo(kind + " ".join(str(error).split())[:1000], err=True)
        sys.exit(Refused.exit_code)


if __name__ == "__main__":
    run()
