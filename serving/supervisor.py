"""Keep processes running: start them, start again what dies, stop them in order."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import BadInput
from contract.processes import end_in_order, start_apart

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0
LIVED_S = 5.0  # a process that lived so long is started again without a longer pause

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours: `python <arguments>`, which inherits the open files `fds`.

    `last` are the arguments of a run that the end needs in its place, where it is not running then
    or is too young to have heard that it shall stop.
    """

    name: str
    arguments: tuple[str, ...]
    fds: tuple[int, ...] = ()
    patience_s: float = 10.0  # between asking it to stop and killing it
    nice: int = 0  # how much it gives way to others, 0 to 19
    last: tuple[str, ...] = ()


async def supervise(workers: Sequence[Child], others: Sequence[Child], stop: asyncio.Event) -> None:
    """Run all until `stop`; then the workers end, and after them what they may still need.

    BadInput when one of them ended with that exit code: starting it again would not help.
    """
    loop, workers_ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    answering = asyncio.gather(*(_keep(child, stop, stop) for child in workers))
    rest = asyncio.gather(*(_keep(child, workers_ended, stop) for child in others))
    kept = await answering
    workers_ended.set()
    if not all(kept + await rest):
        raise BadInput("The service can't run like this; what is wrong stands above.")


async def _keep(child: Child, stop: asyncio.Event, hopeless: asyncio.Event) -> bool:
    """Start a child, and start it again each time it dies, until `stop`.

    False, and `hopeless` is set, where it ended because of its settings.
    """
    pause_s = FIRST_PAUSE_S
    while not stop.is_set():
        started = time.monotonic()
        process = await _start(child, child.arguments)
        waits = [asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        waits[1].cancel()
        if process.returncode is None:
            if await end_in_order(process, child.patience_s) == -signal.SIGTERM:
                await _run_last(child)
            return True
        if process.returncode == BadInput.exit_code:
            hopeless.set()
            return False
        lived_s = time.monotonic() - started
        pause_s = FIRST_PAUSE_S if lived_s > LIVED_S else min(2 * pause_s, LONGEST_PAUSE_S)
        logger.warning(
            "%s ended with exit code %s, next start in %.1f s",
            child.name,
            process.returncode,
            pause_s,
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)
    await _run_last(child)
    return True


async def _run_last(child: Child) -> None:
    if child.last:
        process = await _start(child, child.last)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), child.patience_s)
        if process.returncode is None:
            await end_in_order(process, 0)


async def _start(child: Child, arguments: Sequence[str]) -> asyncio.subprocess.Process:
    way = ("nice", "-n", str(child.nice)) if child.nice else ()
    return await start_apart((*way, sys.executable, *arguments), fds=child.fds)
