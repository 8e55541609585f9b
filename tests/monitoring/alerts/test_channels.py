"""Channels against real receivers on loopback."""

import base64
import hmac
import json
import logging
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from contract.errors import BadInput, Refused
from contract.settings import Settings, read_settings
from monitoring.alerts.channels.delivery import TemporaryFailure
from monitoring.alerts.channels.registry import channels
from monitoring.alerts.message import Message
from monitoring.alerts.signature import read_key, signed_headers
from pipelines.runtime.code_hash import PROJECT
from tests.support.mailbox import Mailbox, certificate, known, taking_mail
from tests.support.receiver import KEY, RESET, SECRET, Receiver, listening

MESSAGE = Message(
    id="alert-5f2c",
    kind="alarm",
    use_case="flights",
    title="Late arrivals <of flights> & more",
    owner="flight-operations@example.org",
    version="3",
    window="2013-12-01 to 2014-01-01",
    revision=2,
    state="DRIFT",
    signals=("performance",),
    reasons=("New drift: performance.", "roc_auc fell."),
    next_steps=("Retrain.",),
    report="http://127.0.0.1:5000/#/experiments/1/runs/5f2c",
    decided="2014-01-01T06:00:00+00:00",
)


def send(name: str, **changes: Any) -> None:
    """Send the message through one channel, as the settings configure it."""
    settings = Settings().model_copy(update={"alert_deadline_s": 4.0, **changes})
    channels(settings)[name](MESSAGE)


def webhook(receiver: Receiver, **changes: Any) -> None:
    url, secret = SecretStr(receiver.url), SecretStr(SECRET)
    send("webhook", alert_webhook_url=url, alert_webhook_secret=secret, **changes)


def example() -> Any:
    """The receiver's `verify` as docs/alerts.md prints it."""
    text = (PROJECT / "docs/alerts.md").read_text(encoding="utf-8")
    found: dict[str, Any] = {}
    exec(text.split("```python\n")[1].split("```")[0], found)
    return found["verify"]


# The generic webhook


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification.
    key, body = read_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), b'{"test": 2432232314}'
    headers = signed_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


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


# Slack


def test_slack_gets_text_and_blocks_and_no_markup_of_ours_is_its_markup() -> None:
    with listening(Receiver(script=[500])) as receiver:
        send("slack", alert_slack_url=SecretStr(receiver.url))
    found = json.loads(receiver.accepted[0].body)
    assert found["text"].startswith("flights version 3: DRIFT. New drift: performance.")
    kinds = [block["type"] for block in found["blocks"]]
    assert kinds == ["header", "section", "section", "section", "section", "context"]
    about = found["blocks"][1]["text"]
    assert about["type"] == "plain_text"
    assert "Late arrivals <of flights> & more" in about["text"]
    assert found["blocks"][4]["text"]["text"] == f"<{MESSAGE.report}|Report in MLflow>"
    assert "webhook-signature" not in receiver.got[0].headers


# Mail


def by_mail(mailbox: Mailbox, **changes: Any) -> None:
    send(
        "mail",
        alert_smtp_host="127.0.0.1",
        alert_smtp_port=mailbox.port,
        alert_mail_from="monitoring@example.org",
        **{"alert_mail_to": "a@example.org, b@example.org", **changes},
    )


SIGNED_IN = {"alert_smtp_user": "fourcycle", "alert_smtp_password": SecretStr("pa:ss/w@rd")}


def test_a_mail_arrives_and_is_tried_again_under_the_same_id() -> None:
    with taking_mail(Mailbox(script=["451 later", "421 busy"])) as mailbox:
        by_mail(mailbox)
    (letter,) = mailbox.got
    assert mailbox.asked == 3
    assert mailbox.recipients == ["a@example.org", "b@example.org"]
    assert letter["Subject"] == "[alarm] flights version 3: DRIFT"
    assert letter["Date"].datetime.isoformat() == MESSAGE.decided
    assert letter["Message-ID"] == "<alert-5f2c@fourcycle>"
    text = letter.get_content()
    for line in (*MESSAGE.reasons, *MESSAGE.next_steps, MESSAGE.report, MESSAGE.title):
        assert line in text


def test_an_unknown_recipient_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with taking_mail(Mailbox()) as mailbox:
        by_mail(mailbox, alert_mail_to="nobody@example.org, a@example.org")
        assert mailbox.recipients == ["a@example.org"]
        assert "1 mail recipients were refused" in caplog.text
        with pytest.raises(Refused, match="no recipient was accepted"):
            by_mail(mailbox, alert_mail_to="nobody@example.org")
        with pytest.raises(Refused, match="no addresses"):
            by_mail(mailbox, alert_mail_to="a@example.org\nBcc: b@example.org")
    assert len(mailbox.got) == 1


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context whose certificate this process trusts."""
    trusted, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return context


def test_a_password_goes_over_starttls(tls: ssl.SSLContext) -> None:
    options = {"tls_context": tls, "auth_required": True, "authenticator": known}
    with taking_mail(Mailbox(), **options) as mailbox:
        by_mail(mailbox, **SIGNED_IN)
    assert (len(mailbox.got), mailbox.encrypted) == (1, True)


def test_a_wrong_password_is_a_no(tls: ssl.SSLContext) -> None:
    options = {"tls_context": tls, "auth_required": True, "authenticator": known}
    wrong = SIGNED_IN | {"alert_smtp_password": SecretStr("hunter2")}
    with taking_mail(Mailbox(), **options) as mailbox, pytest.raises(Refused, match="535") as said:
        by_mail(mailbox, **wrong)
    assert "hunter2" not in str(said.value)


def test_tls_from_the_first_byte(tls: ssl.SSLContext) -> None:
    with taking_mail(Mailbox(), ssl_context=tls) as mailbox:
        by_mail(mailbox, alert_smtp_tls="implicit")
    assert len(mailbox.got) == 1


@pytest.mark.parametrize("changes", [SIGNED_IN, {"alert_smtp_tls": "required"}])
def test_no_password_and_no_required_secret_goes_in_the_clear(changes: dict[str, Any]) -> None:
    with taking_mail(Mailbox()) as mailbox, pytest.raises(Refused, match="no STARTTLS"):
        by_mail(mailbox, **changes)
    assert mailbox.asked == 0


def test_a_certificate_that_nobody_vouches_for_is_a_no(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    options = {"tls_context": context}
    with taking_mail(Mailbox(), **options) as box, pytest.raises(Refused, match="certificate"):
        by_mail(box)
    assert box.asked == 0


# Configuration


HALF: dict[str, tuple[dict[str, str], str]] = {
    "no secret": ({"WEBHOOK_URL": "https://example.org/T0KEN"}, "WEBHOOK_SECRET"),
    "a short secret": (
        {"WEBHOOK_URL": "https://example.org/T0KEN", "WEBHOOK_SECRET": "whsec_T0KENaaa"},
        "WEBHOOK_SECRET",
    ),
    "no address": ({"SLACK_URL": "hooks.example.org/T0KEN"}, "SLACK_URL"),
    "another scheme": ({"SLACK_URL": "ftp://example.org/T0KEN"}, "SLACK_URL"),
    "no recipient": ({"SMTP_HOST": "mail.example.org", "MAIL_FROM": "T0KEN@x.org"}, "MAIL_TO"),
}


@pytest.mark.parametrize("name", HALF)
def test_half_a_configuration_is_named_without_its_content(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables, said = HALF[name]
    for variable, value in variables.items():
        monkeypatch.setenv(f"FOURCYCLE_ALERT_{variable}", value)
    with pytest.raises(BadInput, match=f"FOURCYCLE_ALERT_{said}") as caught:
        channels(read_settings())
    assert "T0KEN" not in str(caught.value)


def test_no_secret_is_shown_or_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with listening(Receiver(script=[500])) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("FOURCYCLE_ALERT_WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", f"{receiver.url}/slack")
        monkeypatch.setenv("FOURCYCLE_ALERT_SMTP_PASSWORD", "hunter2")
        settings = read_settings()
        for each in channels(settings).values():
            each(MESSAGE)
    shown = f"{settings!r} {settings} {settings.model_dump()} {caplog.text}"
    assert len(receiver.accepted) == 2
    assert not [s for s in ("T0KEN", SECRET, SECRET[6:], "hunter2") if s in shown]


def test_nothing_configured_is_no_channel() -> None:
    assert channels(Settings()) == {}
