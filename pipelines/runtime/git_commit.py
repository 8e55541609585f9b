"""Which code this is: the git commit, and whether the work tree differs from it."""

import subprocess

from pipelines.runtime.code_hash import PROJECT

UNKNOWN = "unknown"


def commit() -> tuple[str, str]:
    """Commit hash and `yes`, `no` or `unknown` for a dirty work tree."""
    found = _git("rev-parse", "HEAD")
    if found is None:
        return UNKNOWN, UNKNOWN
    # Tables and runs beside the code are data; only tracked files make the tree dirty.
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return found, UNKNOWN if changed is None else "yes" if changed else "no"


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(PROJECT), *arguments],  # noqa: S607, our own arguments
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
