"""Run tests against mutants: one process that has imported what they import, forked for each.

Started in a copy of the project, which it changes. Reads the mutants as JSON on standard input,
writes a line of JSON for each: whether a test failed, and how long it took.
"""

import ast
import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.mutants.modules import ALONE

# Imported once instead of once a mutant: the libraries that tests use, and with the first our code.
IMPORTED = ("tests.conftest", "evidently", "great_expectations", "optuna", "treelite", "xgboost")
OURS = ("contract", "monitoring", "pipelines", "serving", "tests", "tracking", "use_cases")
OPTIONS = (
    "-x",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:schemathesis",
    "-p",
    "no:faker",
    "--assert=plain",
    "--hypothesis-seed=0",
)
IMPORTS: dict[ModuleType, set[str]] = {}
LIMIT_S = 600  # of the processor, for tests without a mutant
HANGS_S = 900.0


def forget(module: str) -> None:
    """Let a module be imported anew, with all of ours that import it, at any depth."""
    ours = {name: found for name, found in sys.modules.items() if name.split(".")[0] in OURS}
    stale, before = {module}, set[str]()
    while stale != before:
        before = set(stale)
        stale |= {name for name, found in ours.items() if imported(found) & before}
    stale |= {name for name in ours if name.split(".")[0] == "tests"}
    for name in stale & ours.keys():
        parent, _, last = name.rpartition(".")
        del sys.modules[name]
        if parent in sys.modules and hasattr(sys.modules[parent], last):
            delattr(sys.modules[parent], last)


def imported(module: ModuleType) -> set[str]:
    """The names of the modules that a module's text imports, inside functions too."""
    if module not in IMPORTS:
        text = Path(module.__file__).read_text(encoding="utf-8") if module.__file__ else ""
        found = set[str]()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        IMPORTS[module] = found
    return IMPORTS[module]


def run(module: str, tests: Sequence[str], written: bool, limit_s: int) -> tuple[bool, float]:
    """Whether the tests passed in a process of their own, and its processor time in seconds.

    `written`: whether bytecode is kept, as it must not be of a mutant. Who needs over `limit_s`
    of the processor, or waits for HANGS_S, has failed.
    """
    child = os.fork()
    if not child:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        sys.dont_write_bytecode = not written
        quiet = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(quiet, stream)
        code = 1
        try:
            forget(module.removesuffix(".py").replace("/", "."))
            code = int(pytest.main([*OPTIONS, f"--basetemp={Path.cwd()}.tests", *tests]))
        finally:  # whatever comes: one that forgot that it is the child would go on as the parent
            os._exit(code)
    given_up = time.monotonic() + HANGS_S
    while time.monotonic() < given_up:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            return status == 0, used.ru_utime + used.ru_stime
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False, float(limit_s)


@contextmanager
def changed(module: str, source: str) -> Iterator[None]:
    """The module with other source, until the block ends."""
    path = Path(module)
    whole, stat = path.read_bytes(), path.stat()
    try:
        path.write_text(source, encoding="utf-8")
        yield
    finally:
        path.write_bytes(whole)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # its bytecode stays valid


def trials(mutants: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The result of each mutant; RuntimeError where the tests fail without any."""
    for module, some in groupby(mutants, key=lambda mutant: str(mutant["module"])):
        each = list(some)
        tests = each[0]["tests"]
        if ALONE not in tests:
            prepare()
        passed, took = run(module, tests, True, LIMIT_S)
        if not passed:
            raise RuntimeError(f"{module}: its tests fail as it is: {' '.join(tests)}")
        for mutant in each:
            with changed(module, mutant["source"]):
                survived, took_s = run(module, tests, False, 5 + int(3 * took))
            yield {"survived": survived, "took_s": took_s}


@cache
def prepare() -> None:
    """Import what is shared by most tests, once for all forks."""
    for name in IMPORTED:
        import_module(name)
    for found in [m for name, m in sys.modules.items() if name.split(".")[0] in OURS]:
        imported(found)
    gc.freeze()  # what is never freed is not copied


def main() -> None:
    """Every mutant of standard input."""
    for result in trials(json.load(sys.stdin)):
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
