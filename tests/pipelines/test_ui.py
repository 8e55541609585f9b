"""The user interface's port, its address for other commands, and how its process ends."""

import signal
import socket
import subprocess
import sys

import pytest

from contract.errors import BadInput, Refused, Unavailable
from contract.settings import read_settings
from pipelines import ui
from pipelines.replaying.service_process import free_port
from pipelines.runtime import ui_process
from pipelines.runtime.ui_process import FIRST_PAGE, HOST, remembered, stop, wait_until_ready

NEVER_ENDS = "import signal, time; signal.signal({}, signal.SIG_IGN); print(flush=True); {}"


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1"])
def test_what_is_no_port_is_said(port: str) -> None:
    with pytest.raises(BadInput, match=f"a number from 1 to 65535 is needed, found '{port}'"):
        ui.main(port=port)


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(BadInput, match=rf":{port} can't be served.*make ui PORT={port + 1}"):
            ui.main(port=str(port))


def test_a_tracking_server_is_its_own_interface(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    ui.main()
    assert capsys.readouterr().out == f"http://tracking.example:5000{FIRST_PAGE}\n"


def test_other_commands_link_to_where_it_is_while_it_runs() -> None:
    settings = read_settings()
    usual = settings.ui_address
    with remembered(settings, "http://127.0.0.1:5999"):
        assert read_settings().ui_address == "http://127.0.0.1:5999"
    assert read_settings().ui_address == usual


def started(code: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )


def test_one_that_ends_or_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://{HOST}:{free_port()}"
    with started("exit(7)") as process, pytest.raises(Refused, match="ended with exit code 7"):
        wait_until_ready(process, address)
    monkeypatch.setattr(ui_process, "READY_S", 0)
    with pytest.raises(Unavailable, match=rf"did not answer at {address} within 0 s"):
        wait_until_ready(process, address)


@pytest.mark.parametrize("ignored", [signal.SIGUSR1, signal.SIGTERM])
def test_it_ends_politely_or_for_good(
    monkeypatch: pytest.MonkeyPatch, ignored: signal.Signals
) -> None:
    monkeypatch.setattr(ui_process, "STOP_S", 0.3)
    with started(NEVER_ENDS.format(int(ignored), "time.sleep(60)")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        stop(process)
        ended = signal.SIGKILL if ignored == signal.SIGTERM else signal.SIGTERM
        assert process.wait(5) == -ended
