"""Commands as child processes: what is known of their end, and that they end."""

import asyncio
import sys
import time
from pathlib import Path

import psutil
import pytest

from contract.processes import end_in_order, last_line, run_to_end, start_apart

STUBBORN = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
PARENT = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); "


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_a_command_said_last_is_the_reason_or_else_its_exit_code() -> None:
    ended = run_to_end(python("import sys; print(1); sys.exit('first\\nwhat was wrong\\n\\n')"))
    assert (ended.code, ended.output, ended.reason) == (1, "1\n", "what was wrong")
    assert run_to_end(python("raise SystemExit(3)")).reason == "it ended with exit code 3"
    assert last_line(" \n") == ""


def test_a_command_that_takes_too_long_is_ended() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"took longer than 0\.5 s"):
        run_to_end(python("import time; time.sleep(60)"), deadline_s=0.5)
    assert time.monotonic() - started < 30


async def _ended(code: str, log: Path, patience_s: float, with_its_own: bool) -> int:
    """Exit code of a command that was ended as soon as it had printed something."""
    with log.open("wb") as output:
        process = await start_apart(python(code), output)
    while not log.read_bytes():
        await asyncio.sleep(0.02)
    await end_in_order(process, patience_s, with_its_own)
    assert process.returncode is not None
    return process.returncode


def test_who_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    code = STUBBORN + "print(1, flush=True); time.sleep(60)"
    assert asyncio.run(_ended(code, tmp_path / "log", 0.2, with_its_own=False)) == -9


def runs_on(pid: int, wait_s: float) -> bool:
    """Whether a process is still there after so long."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("with_its_own", [True, False])
def test_what_a_command_started_ends_with_it_where_that_is_asked(
    tmp_path: Path, with_its_own: bool
) -> None:
    log = tmp_path / "log"
    code = PARENT + "import time; time.sleep(60)"
    assert asyncio.run(_ended(code, log, 30, with_its_own)) == -15
    started = int(log.read_text())
    assert runs_on(started, wait_s=10 if with_its_own else 0.2) != with_its_own
    if not with_its_own:
        psutil.Process(started).kill()
