"""An error that nobody foresaw: one sentence for the person who meets it, the trace elsewhere."""

import hashlib
import sys
import tempfile
import traceback
from pathlib import Path

from contract.addresses import without_password

ENDED_BY_IT = 1  # the exit code
PROJECT = Path(__file__).resolve().parents[1]
SHOWN = 300  # characters
PLACE = "the trace stands in "
# What these say is about the machine. The message of any other error may hold a value of a row.
SAFE: tuple[type[BaseException], ...] = (OSError, MemoryError)


def sentence(error: BaseException, safe: tuple[type[BaseException], ...] = SAFE) -> str:
    """What happened, where, and what holds the trace: the run that was told, else a file."""
    said = ""
    if isinstance(error, safe) and str(error):
        said = f" ({without_password(str(error)).partition(chr(10))[0][:SHOWN]})"
    return (
        f"{_command()} met an error that nobody foresaw: {type(error).__name__}{said}"
        f"{_place_in_code(error)}; {PLACE}{place_of(error) or _kept_in_a_file(error)}."
    )


def trace(error: BaseException) -> str:
    """The trace as Python prints it. It may hold values of rows, so it is for no terminal."""
    return "".join(traceback.format_exception(error))


def remember_place(error: BaseException, place: str) -> None:
    """Say on the error where its trace stands."""
    error.add_note(f"{PLACE}{place}")


def place_of(error: BaseException) -> str:
    """Where the trace of an error stands already; "" where nobody has kept it."""
    notes = [n for n in getattr(error, "__notes__", ()) if n.startswith(PLACE)]
    return notes[0].removeprefix(PLACE) if notes else ""


def _command() -> str:
    """The command as it was typed: train, fourcycle, monitoring."""
    called = Path(sys.argv[0])
    return called.parent.name if called.stem == "__main__" else called.stem


def _place_in_code(error: BaseException) -> str:
    """The innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if Path(f.filename).is_relative_to(PROJECT)]
    ours = [f for f in ours if "site-packages" not in f.filename]
    if not ours:
        return ""
    return f" at {Path(ours[-1].filename).relative_to(PROJECT)}:{ours[-1].lineno}"


def _kept_in_a_file(error: BaseException) -> str:
    """A file among the temporary ones; the same trace again is the same file."""
    text = trace(error)
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
    file = Path(tempfile.gettempdir()) / f"fourcycle-{digest}.txt"
    try:
        # Exclusively: in a folder that all share, no link of somebody else's is followed.
        file.touch(mode=0o600, exist_ok=False)
        try:
            file.write_text(text, encoding="utf-8", errors="replace")
        except OSError:
            file.unlink()  # else the half of it would pass for the trace, met before
            raise
    except FileExistsError:
        pass  # the same trace, met before
    except OSError as failure:
        return f"no file, for none can be written: {failure.strerror}"
    return str(file)
