"""Which code this is: the git commit, and whether the work tree differs from it."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.errors import Refused
from contract.processes import run_to_end
from pipelines.runtime.code_hash import PROJECT

UNKNOWN = "unknown"


def commit() -> tuple[str, str]:
    """Commit hash and `yes`, `no` or `unknown` for a dirty work tree."""
    revision = _git("rev-parse", "HEAD")
    if revision is None:
        return UNKNOWN, UNKNOWN
    # Tables and runs beside the code are data; only tracked files make the tree dirty.
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return revision, UNKNOWN if changed is None else "yes" if changed else "no"


def _git(*arguments: str) -> str | None:
    try:
        done = run_to_end(["git", "-C", str(PROJECT), *arguments], deadline_s=20)
    except OSError:  # no git, or no answer in time
        return None
    return done.output.strip() if done.code == 0 else None


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """The project at a commit, in a work tree of its own that is removed again."""
    git = ["git", "-C", str(PROJECT), "worktree"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        added = run_to_end([*git, "add", "--detach", str(folder), revision])
        if added.code:
            raise Refused(f"Commit {revision} can't be checked out: {added.reason}")
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def in_checkout(reference: str, folder: Path) -> str:
    """A use case as a command in another work tree must name it: a shipped name is the same in
    each, a file of the project is the one there, any other file keeps its place."""
    path = Path(reference).expanduser().resolve()
    if not path.is_file():
        return reference
    return str(folder / path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)
