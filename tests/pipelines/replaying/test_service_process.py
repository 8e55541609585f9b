"""A service as a process of a command: what becomes of one that does not start or says no."""

import socket

import httpx
import pytest

from contract.errors import Refused, Unavailable
from pipelines.replaying import service_process
from pipelines.replaying.service_process import checked, free_port, is_free, service


def test_a_service_that_ends_at_once_is_told_and_so_is_one_that_is_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        pytest.raises(Refused, match=r"The service ended with exit code 2; try .*serve"),
        service("absent.yaml", "", free_port()),
    ):
        pass
    monkeypatch.setattr(service_process, "READY_S", 0)
    monkeypatch.setattr(service_process, "STOP_S", 0)  # one that does not end in time is killed
    with (
        pytest.raises(Unavailable, match="was not ready with version 7 within 0 s"),
        service("absent.yaml", "", free_port(), version="7"),
    ):
        pass


def test_a_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


def test_an_answer_that_is_no_good_one_is_said() -> None:
    request = httpx.Request("POST", "http://127.0.0.1/predict")
    assert checked(httpx.Response(200, request=request)).is_success
    with pytest.raises(Refused, match="POST /predict answered 422: no such column"):
        checked(httpx.Response(422, request=request, text="no such column"))
