"""Run tests against mutants: one process that has imported what they import, forked for each.

Started in a copy of the project, which it changes. Reads the mutants as JSON on standard input,
writes a line of JSON for each: whether a test failed, and how long it took.
"""

import ast
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

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
SHORTEST_S = 20.0  # to wait at least, for a loaded machine


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


def run(module: str, tests: Sequence[str], written: bool, deadline_s: float) -> tuple[bool, float]:
    """Whether the tests passed in a process of their own, and its time in seconds.

    `written`: whether bytecode is kept, as it must not be of a mutant. Past the deadline: no.
    """
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.setsid()
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
    while (took := time.monotonic() - began) < deadline_s:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0, took
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False, took


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
        passed, took = run(module, tests, True, 600)
        if not passed:
            raise RuntimeError(f"{module}: its tests fail as it is: {' '.join(tests)}")
        for mutant in each:
            with changed(module, mutant["source"]):
                survived, took_s = run(module, tests, False, SHORTEST_S + 5 * took)
            yield {"survived": survived, "took_s": took_s}


def main() -> None:
    """Every mutant of standard input."""
    mutants = json.load(sys.stdin)
    for name in IMPORTED:
        import_module(name)
    for found in [m for name, m in sys.modules.items() if name.split(".")[0] in OURS]:
        imported(found)
    gc.freeze()  # what is never freed is not copied
    for result in trials(mutants):
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
