"""The signed webhook against a real receiver on loopback."""

import base64
import hmac
import json
import socket
import threading
import time
from typing import Any

import pytest
from pydantic import SecretStr

from contract.errors import Refused
from monitoring.alerts.channels.delivery import TemporaryFailure
from monitoring.alerts.signature import read_key, signed_headers
from pipelines.runtime.code_hash import PROJECT
from tests.support.alerts import MESSAGE, send
from tests.support.receiver import KEY, RESET, SECRET, Receiver, listening

KEY_TEXT = SECRET.removeprefix("whsec_")


def webhook(receiver: Receiver, **changes: Any) -> None:
    url, secret = SecretStr(receiver.url), SecretStr(SECRET)
    send("webhook", alert_webhook_url=url, alert_webhook_secret=secret, **changes)


def example() -> Any:
    """The receiver's `verify` as docs/alerts.md prints it."""
    text = (PROJECT / "docs/alerts.md").read_text(encoding="utf-8")
    found: dict[str, Any] = {}
    exec(text.split("```python\n")[1].split("```")[0], found)
    return found["verify"]


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification.
    key, body = read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), b'{"test": 2432232314}'
    headers = signed_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", KEY_TEXT, "whsec_", "whsec_c2hvcnQ=", "whsec_é", "whsec_!"])
def test_a_secret_that_is_none_is_no_key(secret: str) -> None:
    assert read_key(secret) == b""


def test_a_receiver_verifies_what_it_gets() -> None:
    with listening(Receiver()) as receiver:
        webhook(receiver)
    (got,) = receiver.got
    verify, now = example(), time.time()
    assert verify(SECRET, got.headers, got.body, now) == json.loads(got.body)
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == MESSAGE.id
    content = b".".join((MESSAGE.id.encode(), got.headers["webhook-timestamp"].encode(), got.body))
    by_hand = base64.b64encode(hmac.digest(KEY, content, "sha256")).decode()
    assert got.headers["webhook-signature"] == f"v1,{by_hand}"


@pytest.mark.parametrize("forged", ["body", "id", "key", "old", "of the future"])
def test_a_receiver_refuses_what_is_forged_or_replayed(forged: str) -> None:
    with listening(Receiver()) as receiver:
        webhook(receiver)
    (got,) = receiver.got
    verify, now = example(), time.time()
    other = f"whsec_{base64.b64encode(KEY[::-1]).decode()}"
    tried: dict[str, tuple[str, dict[str, str], bytes, float]] = {
        "body": (SECRET, got.headers, got.body.replace(b"DRIFT", b"OK"), now),
        "id": (SECRET, got.headers | {"webhook-id": "alert-0"}, got.body, now),
        "key": (other, got.headers, got.body, now),
        "old": (SECRET, got.headers, got.body, now + 310),
        "of the future": (SECRET, got.headers, got.body, now - 310),
    }
    with pytest.raises(ValueError, match="webhook"):
        verify(*tried[forged])


def test_the_body_says_what_happened() -> None:
    with listening(Receiver()) as receiver:
        webhook(receiver)
    found = json.loads(receiver.got[0].body)
    assert (found["type"], found["timestamp"]) == ("monitoring.alarm", MESSAGE.decided)
    data = found["data"]
    assert (data["use_case"], data["version"], data["state"]) == ("flights", "3", "DRIFT")
    assert data["window"] == MESSAGE.window
    assert data["reasons"] == list(MESSAGE.reasons)
    assert data["next_steps"] == ["Retrain."]
    assert data["report"] == MESSAGE.report


@pytest.mark.parametrize("script", [[503, 503], [RESET], [429, RESET, 500]])
def test_what_may_pass_is_tried_again_under_the_same_id(script: list[int]) -> None:
    with listening(Receiver(script=list(script))) as receiver:
        webhook(receiver)
    assert [d.status for d in receiver.got] == [*script, 200]
    assert {d.headers["webhook-id"] for d in receiver.got} == {MESSAGE.id}
    for got in receiver.got:
        example()(SECRET, got.headers, got.body, time.time())


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_a_no_is_taken_at_once(status: int) -> None:
    with listening(Receiver(script=[status])) as receiver, pytest.raises(Refused) as caught:
        webhook(receiver)
    assert len(receiver.got) == 1
    assert str(caught.value) == f"it answered {status}"


def test_a_receiver_that_stays_away_is_given_up_at_the_deadline() -> None:
    started = time.monotonic()
    with (
        listening(Receiver(script=[503] * 100)) as receiver,
        pytest.raises(TemporaryFailure, match="503"),
    ):
        webhook(receiver, alert_deadline_s=1.0)
    assert len(receiver.got) > 1
    assert time.monotonic() - started < 2


def test_a_receiver_that_never_answers_is_given_up() -> None:
    answer = threading.Event()
    started = time.monotonic()
    with listening(Receiver(before=answer.wait)) as receiver:
        with pytest.raises(TemporaryFailure, match="ReadTimeout"):
            webhook(receiver, alert_deadline_s=0.5)
        assert time.monotonic() - started < 3
        answer.set()


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/T0KEN"
    with pytest.raises(TemporaryFailure, match="no answer") as caught:
        webhook(Receiver(url=url), alert_deadline_s=0.5)
    assert "T0KEN" not in str(caught.value)


def test_a_receiver_says_when_it_wants_to_be_asked_again() -> None:
    with listening(Receiver(script=[429], headers={"retry-after": "1"})) as receiver:
        started = time.monotonic()
        webhook(receiver)
        assert time.monotonic() - started >= 1
    with listening(Receiver(script=[503], headers={"retry-after": "3600"})) as receiver:
        started = time.monotonic()
        with pytest.raises(TemporaryFailure):
            webhook(receiver)
        assert time.monotonic() - started < 1  # nobody waits for an hour: the next run does
