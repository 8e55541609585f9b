"""The service as a process of its own, for as long as a command sends it rows."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
)

from contract.errors import Refused, Unavailable
from contract.hints import typed
from contract.use_case.model import UseCase
from pipelines.runtime.child_process import end_orphan
from pipelines.runtime.process_identity import process_identity

READY_S = 180  # a busy host needs minutes
STOP_S = 60  # its workers finish, and its shipper ships the last rows
ROWS_PER_REQUEST = 500


@contextmanager
def service(
    use_case: str, root: str, port: int, version: str = "", note: Path | None = None
) -> Iterator[str]:
    """Start the service; its address. It is stopped in order at the end, which ships its log.

    It is ready when it answers with the version (empty: any): from its cache it starts with an old
    one, until it has seen the registry. The note tells who it is while it runs, for whoever comes
    after this process was killed.
    """
    command = [sys.executable, "-m", "serving", "--use-case", use_case, "--port", str(port)]
    command += ["--root", root] if root else []
    # A session of its own: Ctrl-C reaches this process alone, which stops it in order.
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    if note:
        note.write_text(process_identity(process.pid), encoding="utf-8")
    try:
        _wait_until_ready(process, address, version)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if note:
            note.unlink()


def stop_left_over(note: Path) -> None:
    """Stop the service of a process that was killed, if it still runs."""
    if not note.exists():
        return
    end_orphan(note.read_text(encoding="utf-8"))
    note.unlink()


def post_rows(address: str, use_case: UseCase, rows: pa.Table) -> None:
    """Ask for an answer to every row by /invocations, some hundred rows a request."""
    with httpx.Client(base_url=address, timeout=60) as client:
        for start in range(0, rows.num_rows, ROWS_PER_REQUEST):
            part = request_rows(rows.slice(start, ROWS_PER_REQUEST), use_case)
            checked(client.post("/invocations", json={"dataframe_records": part}))


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is a good one."""
    if answer.status_code != httpx.codes.OK:
        raise Refused(f"POST {answer.url.path} answered {answer.status_code}: {answer.text[:300]}")
    return answer


def request_rows(rows: pa.Table, use_case: UseCase) -> list[dict[str, Any]]:
    """Rows as a client sends them: inputs, keys and event time, no label."""
    sent = {*use_case.inputs, *use_case.apart} - {use_case.target}
    names = [name for name in use_case.columns if name in sent]
    times = [name for name in names if use_case.columns[name].type == "timestamp"]
    plain = rows.select(names).to_pylist()
    return [
        row | {name: row[name].isoformat() for name in times if row[name] is not None}
        for row in plain
    ]


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of this host now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, version: str) -> None:
    attempts = Retrying(
        retry=retry_if_exception_type(httpx.TransportError)  # it is not listening yet
        | retry_if_result(lambda ready: not ready),
        stop=stop_after_delay(READY_S),
        wait=wait_fixed(0.1),
    )
    try:
        attempts(_is_ready, process, address, version)
    except RetryError:
        what = f"with version {version} " if version else ""
        raise Unavailable(
            f"The service at {address} was not ready {what}within {READY_S} s."
        ) from None


def _is_ready(process: "subprocess.Popen[bytes]", address: str, version: str) -> bool:
    if process.poll() is not None:
        raise Refused(
            f"The service ended with exit code {process.returncode}; try {typed('serve')}."
        )
    answer = httpx.get(f"{address}/ping", timeout=2)
    answered_by = answer.headers.get("X-Model-Version")
    return answer.status_code == httpx.codes.OK and version in ("", answered_by)
