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
from monitoring.alerts.notices.late_delivery import LATE_DELIVERY
from pipelines.runtime.process_identity import find_process, process_identity

LOG_BYTES = 1024 * 1024  # of a log; as much again is kept of what came before
WATCH_S = 1.0  # between two looks at the log
PATIENCE_S = 10.0  # between asking a process to stop and killing it
SHOWN = 300  # characters of the last line of a process
FOR_PEOPLE = "SUSPICIOUS_LABELS"  # a no of `retrain` that no new try changes

GATE_REFUSED = "GATE_REFUSED"
# What a person must look at, by the state that a command names which did its work.
NOTICES = {
    GATE_REFUSED: "the gate refused the version that the pipeline made",
    LATE_DELIVERY.wrong: "the source has brought nothing for longer than expected",
}


@dataclass(frozen=True)
class ChildResult:
    """How a child ended: `trouble` in words of ours, empty where it did its work."""

    trouble: str = ""
    notice: str = ""  # what a person must look at although the work was done
    last_line: str = ""  # that the child printed; it may name what is not for everybody
    failed: bool = False  # without, trouble is that another process was at this work
    away: bool = False  # a needed system did not answer
    stopped: bool = False  # by us, because we stop

    @property
    def line(self) -> str:
        """All of it, for the console and the log; empty where all went well."""
        return ": ".join(part for part in (self.trouble or self.notice, self.last_line) if part)


async def run_child(
    command: Sequence[str],
    log: Path,
    deadline_s: float,
    stop: asyncio.Event,
    began: Callable[[str], None],
) -> ChildResult:
    """Run a command to its end, to its deadline or until `stop`.

    `began` is called with the identity of the process. What it prints for programs lies in a file
    next to the log.
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


def _judged(code: int, answer: str, line: str) -> ChildResult:
    if code == Refused.exit_code and _state(answer) == FOR_PEOPLE:
        return ChildResult(notice="the labels look suspicious: a person must look", last_line=line)
    if code:
        away = code == Unavailable.exit_code
        return ChildResult(f"ended with exit code {code}", last_line=line, failed=True, away=away)
    if found_another(answer):
        return ChildResult("another process is at this work", last_line=line)
    if notice := NOTICES.get(_state(answer)):
        return ChildResult(notice=notice)
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


def found_another(answer: str) -> bool:
    """Whether a command that ended well found another process at its work.

    One that did its work says so in JSON; `retrain` says BUSY there, the others then say nothing.
    """
    return not answer.strip() or _state(answer) == "BUSY"


def _state(answer: str) -> str:
    """The state that a command's JSON names; empty where there is none."""
    document = _read(answer)
    return str(document.get("state", "")) if isinstance(document, dict) else ""


def _overdue(answer: str) -> int:
    """Labels that `maintain` found overdue; its JSON is a list of tables."""
    tables = _read(answer)
    return sum(t.get("labels_overdue", 0) for t in tables) if isinstance(tables, list) else 0


def _read(answer: str) -> object:
    try:
        document: object = json.loads(answer)
        return document
    except ValueError:
        return None


def _last_line(log: Path) -> str:
    return last_line(log.read_text(encoding="utf-8", errors="replace"))[:SHOWN]
