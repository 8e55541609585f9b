"""Commands as child processes: run to their end, or started apart and ended in order."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# Niceness of what works beside answers to people, who come first, and of what works there for
# long: those who wait for a disk go before it as soon as they wake up (decision 18).
GIVE_WAY, GIVE_WAY_AT_ONCE = 5, 10


@dataclass(frozen=True)
class EndedCommand:
    """How a command ended."""

    code: int  # below zero: the signal that ended it
    output: str  # that it printed for programs
    errors: str  # that it printed for people; empty where they saw it

    @property
    def reason(self) -> str:
        """The last line that it printed for people, else its exit code in words."""
        return last_line(self.errors) or f"it ended with exit code {self.code}"


def run_to_end(
    command: Sequence[str],
    deadline_s: float | None = None,
    show_errors: bool = False,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> EndedCommand:
    """Run a command to its end. TimeoutError when its deadline passes first, which ends it.

    With `show_errors` people see what it prints for them; else it is kept.
    """
    return to_end(started(command, cwd, environment, show_errors), deadline_s)


def started(
    command: Sequence[str],
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    show_errors: bool = False,
) -> "subprocess.Popen[str]":
    """A command that runs, for `to_end`; with `show_errors` people see what it prints for them."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if show_errors else subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=environment,
    )


def to_end(
    process: "subprocess.Popen[str]", deadline_s: float | None = None, told: str = ""
) -> EndedCommand:
    """How a command ends; `told` is all that it reads on standard input.

    TimeoutError when the deadline passes first, which ends it.
    """
    with process:
        try:
            output, errors = process.communicate(told, deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise TimeoutError(f"it took longer than {deadline_s:g} s") from None
        except BaseException:  # Ctrl-C, say: nothing of ours goes on alone
            process.kill()
            raise
    return EndedCommand(process.returncode, output, errors or "")


def last_line(text: str) -> str:
    """The last line of a text that is not empty; "" where there is none."""
    lines = (line.strip() for line in reversed(text.split("\n")))
    return next(filter(None, lines), "")


async def start_apart(
    command: Sequence[str],
    output: IO[bytes] | None = None,
    errors: IO[bytes] | None = None,
    fds: Sequence[int] = (),
) -> asyncio.subprocess.Process:
    """Start a command in a session of its own: Ctrl-C reaches only us, who end it in order.

    It inherits the open files `fds`, and our output where it is given none.
    """
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        pass_fds=fds,
        start_new_session=True,
    )


async def end_in_order(
    process: asyncio.subprocess.Process, patience_s: float, with_its_own: bool = False
) -> int:
    """Ask a process that was started apart to stop; kill it when it does not in time.

    Its exit code; below zero: the signal that ended it.

    `with_its_own`: what it has started itself is asked too, and killed if it outlives it.
    """
    _send(process, signal.SIGTERM, with_its_own)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), patience_s)
    if with_its_own or process.returncode is None:
        _send(process, signal.SIGKILL, with_its_own)
    return await process.wait()


def _send(process: asyncio.subprocess.Process, number: signal.Signals, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        if group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
