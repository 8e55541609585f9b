"""Which process: the mark that it leaves on a run, and whether it is still there."""

import socket

import psutil

TOLERANCE_S = 1.0


def process_identity(pid: int | None = None) -> str:
    """Host, id and start time of a process, or of this one: an id alone is soon another's."""
    process = psutil.Process(pid)
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def is_gone(identity: str) -> bool:
    """Whether a process of this host has ended; of another host's nothing is known."""
    host = identity.partition(":")[0]
    return host == socket.gethostname() and find_process(identity) is None


def find_process(identity: str) -> psutil.Process | None:
    """The process, where it runs on this host."""
    host, _, rest = identity.partition(":")
    if host != socket.gethostname():
        return None
    pid, _, started = rest.partition(":")
    try:
        process = psutil.Process(int(pid))
        # A start time is computed from the time of the boot, which moves when the clock is set.
        return process if abs(process.create_time() - float(started)) <= TOLERANCE_S else None
    except psutil.NoSuchProcess:
        return None
