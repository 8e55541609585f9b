"""Mutants: change a line of a module that decides or computes, and see that a test fails.

`make mutants` writes build/mutants.md. Exit code 1 where fewer than LEAST of them are noticed. Only
modules that are named, if any are, are tried; what is known of the others stays.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.mutants.modules import PER_MODULE, SEED, TESTS
from tests.mutants.page import page, share
from tests.support.project import PROJECT

LEAST = 0.85
MAKER = ("sh", "scripts/tool", "mutants", "python", "scripts/tools/mutate.py")
PAGE, KNOWN = Path("build/mutants.md"), Path("build/mutants.json")


def made(modules: Sequence[str]) -> list[dict[str, Any]]:
    """The mutants of modules, each with the tests that should notice it."""
    asked = {"seed": SEED, "modules": dict.fromkeys(modules, PER_MODULE)}
    done = subprocess.run(
        MAKER, input=json.dumps(asked), cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return [mutant | {"tests": TESTS[mutant["module"]]} for mutant in json.loads(done.stdout)]


def copied(folder: Path) -> Path:
    """The project's files beside the project, to be changed."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in names.strip("\n").split("\n"):
        if (source := PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    return folder


def tried(mutants: Sequence[dict[str, Any]], folder: Path) -> Iterator[dict[str, Any]]:
    """The mutants with what became of each, as it is known."""
    command = (sys.executable, "-m", "tests.mutants.trials")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as given:
        json.dump(mutants, given)
        given.seek(0)
        with subprocess.Popen(
            command, cwd=folder, stdin=given, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for mutant, line in zip(mutants, process.stdout, strict=False):
                yield mutant | json.loads(line)
    if process.returncode:
        raise SystemExit(process.returncode)


def keep(results: list[dict[str, Any]]) -> None:
    """Write what is known by now."""
    results.sort(key=lambda result: (result["module"], result["line"]))
    PAGE.parent.mkdir(exist_ok=True)
    KNOWN.write_text(json.dumps(results, indent=1), encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")


def main(modules: Sequence[str]) -> int:
    """Try the mutants of modules, by default of all; 1 where too many survive."""
    tried_now = modules or sorted(TESTS)
    known = json.loads(KNOWN.read_text(encoding="utf-8")) if modules and KNOWN.exists() else []
    results, fresh = list(known), set[str]()
    with tempfile.TemporaryDirectory() as into:
        for result in tried(made(tried_now), copied(Path(into, "project"))):
            if (module := result["module"]) not in fresh:
                fresh.add(module)
                results = [known for known in results if known["module"] != module]
            results.append({k: v for k, v in result.items() if k not in ("source", "tests")})
            if result["survived"]:
                place = f"{result['module']}:{result['line']}"
                print(f"{place}: {result['was']}\n    {result['now']}", flush=True)
            keep(results)
    print(f"{len(results)} mutants, {share(results):.1%} noticed; {PAGE}")
    return int(share(results) < LEAST)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
