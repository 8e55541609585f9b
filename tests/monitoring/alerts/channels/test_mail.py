"""Mail against a real SMTP server on loopback."""

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from contract.errors import BadInput, Refused
from contract.settings import Settings
from monitoring.alerts.channels.delivery import TemporaryFailure
from monitoring.alerts.channels.mail import send_mail
from monitoring.alerts.channels.registry import channels
from tests.support.alerts import MESSAGE, send
from tests.support.mailbox import Mailbox, certificate, known, taking_mail


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


SERVICE = Settings().model_copy(
    update={
        "alert_smtp_host": "127.0.0.1",
        "alert_mail_from": "monitoring@example.org",
        "alert_mail_to": "a@example.org",
    }
)


def test_nobody_who_listens_and_who_hangs_up_may_be_asked_again() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        at_port = SERVICE.model_copy(update={"alert_smtp_port": listener.getsockname()[1]})
        with pytest.raises(TemporaryFailure, match=r"no answer \(ConnectionRefusedError\)"):
            send_mail(at_port, MESSAGE, 5)
        listener.listen()

        def hang_up() -> None:
            listener.accept()[0].close()

        other = threading.Thread(target=hang_up)
        other.start()
        with pytest.raises(TemporaryFailure, match="it hung up"):
            send_mail(at_port, MESSAGE, 5)
        other.join()


def test_a_server_that_knows_no_sign_in_is_a_no(tls: ssl.SSLContext) -> None:
    with taking_mail(Mailbox(), tls_context=tls, auth_exclude_mechanism=["LOGIN", "PLAIN"]) as box:
        with pytest.raises(Refused, match=r"can't take mail this way \(SMTPException\)"):
            by_mail(box, **SIGNED_IN)
        assert box.asked == 0


@pytest.mark.parametrize("missing", ["alert_mail_from", "alert_mail_to"])
def test_a_host_without_addresses_is_said_before_anything_is_sent(missing: str) -> None:
    with pytest.raises(BadInput, match="SMTP_HOST needs FOURCYCLE_ALERT_MAIL_FROM and"):
        channels(SERVICE.model_copy(update={missing: ""}))
