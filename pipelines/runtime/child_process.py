"""A command as a child process, with a deadline, a log of limited size, and an orderly end."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from contract.errors import Refused, Unavailable
from contract.processes import end_in_order, last_line, start_apart
from pipelines.runtime.process_identity import find_process, process_identity

LOG_BYTES = 1024 * 1024  # of a log; as much again is kept of what was said before
WATCH_S = 1.0  # between two looks at the log
PATIENCE_S = 10.0  # between asking a process to stop and killing it
SHOWN = 300  # characters of what a process said last
FOR_PEOPLE = "SUSPICIOUS_LABELS"  # a no of `retrain` that no new try changes


@dataclass(frozen=True)
class ChildResult:
    """How a child ended: `trouble` in words of ours, empty where it did its work."""

    trouble: str = ""
    notice: str = ""  # what a person must look at although the work was done
    said: str = ""  # by the child at last; it may name what is not for everybody
    failed: bool = False  # without, trouble is that another process was at this work
    away: bool = False  # a needed system did not answer
    stopped: bool = False  # by us, because we stop

    @property
    def line(self) -> str:
        """All of it, for the console and the log; empty where all went well."""
        return ": ".join(part for part in (self.trouble or self.notice, self.said) if part)


async def run_child(
    command: Sequence[str],
    log: Path,
    deadline_s: float,
    stop: asyncio.Event,
    began: Callable[[str], None],
) -> ChildResult:
    """Run a command to its end, to its deadline or until `stop`.

    `began` is told the identity of the process. What it prints for programs lies in a file beside
    the log.
    """
    answer = log.with_suffix(".out")
    limit(log)
    with log.open("ab") as lines, answer.open("wb") as out:
        lines.write(f"--- {datetime.now(UTC).isoformat(' ', 'seconds')} {command}\n".encode())
        lines.flush()
        process = await start_apart(command, out, lines)
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
        began(process_identity(process.pid))
    in_time = await _watch(process, log, deadline_s, stop)
    if process.returncode is None:
        await end_in_order(process, PATIENCE_S, with_its_own=True)
        if in_time:
            return ChildResult("stopped", stopped=True)
        return ChildResult(f"was stopped after {deadline_s:g} s, its deadline", failed=True)
    return _judged(process.returncode, answer.read_text(encoding="utf-8"), _last_line(log))


def _judged(code: int, answer: str, said: str) -> ChildResult:
    if code == Refused.exit_code and _state(answer) == FOR_PEOPLE:
        return ChildResult(notice="the labels look suspicious: a person must look", said=said)
    if code:
        away = code == Unavailable.exit_code
        return ChildResult(f"ended with exit code {code}", said=said, failed=True, away=away)
    if found_another(answer):
        return ChildResult("another process is at this work", said=said)
    if overdue := _overdue(answer):
        return ChildResult(notice=f"labels overdue: {overdue}")
    return ChildResult()


async def _watch(
    process: asyncio.subprocess.Process, log: Path, deadline_s: float, stop: asyncio.Event
) -> bool:
    """Wait for the end of a process or for `stop`; False when its time is over first."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_s
    waits = [asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())]
    try:
        while (left_s := deadline - loop.time()) > 0:
            ended, _ = await asyncio.wait(
                waits, timeout=min(WATCH_S, left_s), return_when=asyncio.FIRST_COMPLETED
            )
            if ended:
                return True
            limit(log)
        return False
    finally:
        for task in waits:
            task.cancel()


def limit(log: Path) -> None:
    """Begin a log anew when it is full; its writer goes on at the new end."""
    if log.is_file() and log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def end_orphan(identity: str) -> bool:
    """Stop what a scheduler left behind that was killed; False where nothing of it is there."""
    process = find_process(identity)
    if process is None:
        return False
    with contextlib.suppress(ProcessLookupError):  # it ended when it was asked
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(PATIENCE_S)
        os.killpg(process.pid, signal.SIGKILL)
    return True


def found_another(said: str) -> bool:
    """Whether a command that ended well found another process at its work.

    One that did its work says so in JSON; `retrain` says BUSY there, the others then say nothing.
    """
    return not said.strip() or _state(said) == "BUSY"


def _state(answer: str) -> str:
    """The state that a command's JSON names; empty where there is none."""
    found = _read(answer)
    return str(found.get("state", "")) if isinstance(found, dict) else ""


def _overdue(answer: str) -> int:
    """Labels that `maintain` found overdue; its JSON is a list of tables."""
    found = _read(answer)
    return sum(one.get("labels_overdue", 0) for one in found) if isinstance(found, list) else 0


def _read(answer: str) -> object:
    try:
        found: object = json.loads(answer)
        return found
    except ValueError:
        return None


def _last_line(log: Path) -> str:
    return last_line(log.read_text(encoding="utf-8", errors="replace"))[:SHOWN]
