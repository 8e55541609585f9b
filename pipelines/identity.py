"""Which process: the mark that it leaves on a run, and whether it is still there."""

import socket

import psutil


def process_identity(pid: int | None = None) -> str:
    """Host, id and start time of a process, or of this one: an id alone is soon another's."""
    process = psutil.Process(pid)
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def is_gone(identity: str) -> bool:
    """Whether a process of this host has ended; of another host's nothing is known."""
    host, _, rest = identity.partition(":")
    if host != socket.gethostname():
        return False
    pid, _, started = rest.partition(":")
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) > 1
    except psutil.NoSuchProcess:
        return True
