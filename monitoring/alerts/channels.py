"""The ways an alert goes out: signed webhook, Slack-compatible webhook, mail.

What may pass is tried again until a deadline; a receiver that says no is not. No address of a
webhook and no secret stands in any error: whoever reads one could use it.
"""

import logging
import smtplib
import ssl
import time
from collections.abc import Callable, Mapping

import httpx
from pydantic import SecretStr
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

from contract.errors import BadInput, FourcycleError, Refused, Unavailable
from contract.settings import Settings
from monitoring.alerts.message import Message
from monitoring.alerts.signature import read_key, signed_headers
from monitoring.alerts.wording import mail, slack_body, webhook_body

Send = Callable[[Message], None]
ATTEMPT_S = 10.0  # to connect, and again to answer
MAX_PAUSE_S = 10.0
WAITS = wait_random_exponential(multiplier=0.2, max=MAX_PAUSE_S)


class TemporaryFailure(Unavailable):
    """A failure that may pass by itself; the receiver may have said when."""

    def __init__(self, said: str, after_s: float = 0.0) -> None:
        super().__init__(said)
        self.after_s = after_s


def channels(settings: Settings) -> dict[str, Send]:
    """The configured channels by name; BadInput where one is configured by half."""
    found: dict[str, Send] = {}
    deadline_s = settings.alert_deadline_s
    webhook, secret = settings.alert_webhook_url, settings.alert_webhook_secret
    if webhook.get_secret_value():
        url, key = _address("ALERT_WEBHOOK_URL", webhook), read_key(secret.get_secret_value())
        if not key:
            raise BadInput(
                "FOURCYCLE_ALERT_WEBHOOK_SECRET: whsec_ and 24 to 64 bytes in base64 are needed, "
                "since the webhook is signed; found something else."
            )
        found["webhook"] = persistent(lambda m, t: post_signed(url, key, m, t), deadline_s)
    if settings.alert_slack_url.get_secret_value():
        slack = _address("ALERT_SLACK_URL", settings.alert_slack_url)
        found["slack"] = persistent(lambda m, t: post(slack, slack_body(m), {}, t), deadline_s)
    if settings.alert_smtp_host:
        if not (settings.alert_mail_from and settings.alert_mail_to):
            raise BadInput(
                "FOURCYCLE_ALERT_SMTP_HOST needs FOURCYCLE_ALERT_MAIL_FROM and "
                "FOURCYCLE_ALERT_MAIL_TO beside it."
            )
        found["mail"] = persistent(lambda m, t: send_mail(settings, m, t), deadline_s)
    return found


def persistent(attempt: Callable[[Message, float], None], deadline_s: float) -> Send:
    """Attempt until it works; the last failure once the next pause would end past the deadline.

    An attempt gets the message and the longest time, in seconds, that it may wait for an answer.
    """

    def send(message: Message) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type(TemporaryFailure),
            wait=_pause,
            stop=stop_before_delay(deadline_s),
            reraise=True,
        )
        retrying(attempt, message, min(ATTEMPT_S, deadline_s))

    return send


def post_signed(url: str, key: bytes, message: Message, timeout_s: float) -> None:
    """Deliver to the generic webhook, signed at the time of this very attempt."""
    body = webhook_body(message)
    post(url, body, signed_headers(key, message.id, int(time.time()), body), timeout_s)


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> None:
    """One attempt; Passing when it may work later, Refused when it won't."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it writes whole addresses
    sent = {"content-type": "application/json", "user-agent": "fourcycle", **headers}
    try:
        with httpx.stream("POST", url, content=body, headers=sent, timeout=timeout_s) as answer:
            status, after = answer.status_code, answer.headers.get("retry-after", "")
    except httpx.RequestError as error:
        raise TemporaryFailure(f"no answer ({type(error).__name__})") from None
    if status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status):
        raise TemporaryFailure(f"it answered {status}", float(after) if after.isdecimal() else 0.0)
    if not httpx.codes.is_success(status):
        raise Refused(f"it answered {status}")


def send_mail(settings: Settings, message: Message, timeout_s: float) -> None:
    """One attempt to hand the message to the mail server."""
    try:
        _hand_over(settings, message, timeout_s)
    except smtplib.SMTPRecipientsRefused as error:
        code = min(code for code, _ in error.recipients.values())
        raise _smtp_failure(code, "no recipient was accepted") from None
    except smtplib.SMTPResponseException as error:
        raise _smtp_failure(error.smtp_code, "it answered") from None
    except ssl.SSLCertVerificationError:
        raise Refused("its certificate is not trusted") from None
    except smtplib.SMTPServerDisconnected:
        raise TemporaryFailure("it hung up") from None
    except smtplib.SMTPException as error:
        raise Refused(f"it can't take mail this way ({type(error).__name__})") from None
    except OSError as error:
        raise TemporaryFailure(f"no answer ({type(error).__name__})") from None
    except ValueError:
        raise Refused("sender or recipients are no addresses of mail") from None


def _hand_over(settings: Settings, message: Message, timeout_s: float) -> None:
    host, port, tls = settings.alert_smtp_host, settings.alert_smtp_port, settings.alert_smtp_tls
    context = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
        if tls == "implicit"
        else smtplib.SMTP(host, port, timeout=timeout_s)
    ) as server:
        server.ehlo()
        if tls != "implicit":
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif tls == "required" or settings.alert_smtp_user:
                raise Refused("it offers no STARTTLS, without which nothing is sent")
        if settings.alert_smtp_user:
            server.login(settings.alert_smtp_user, settings.alert_smtp_password.get_secret_value())
        letter = mail(message, settings.alert_mail_from, settings.alert_mail_to)
        if refused := server.send_message(letter):
            # The others have it; to send it again would reach them twice.
            logging.getLogger(__name__).warning("%d mail recipients were refused", len(refused))


def _smtp_failure(code: int, said: str) -> FourcycleError:
    """4xx may pass, 5xx is a no (RFC 5321, 4.2.1)."""
    return TemporaryFailure(f"{said} ({code})") if code < 500 else Refused(f"{said} ({code})")


def _pause(state: RetryCallState) -> float:
    """What the receiver asked for, else a random pause from a range that doubles."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.after_s if isinstance(error, TemporaryFailure) else 0.0
    return asked or WAITS(state)


def _address(name: str, found: SecretStr) -> str:
    try:
        url = httpx.URL(found.get_secret_value())
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise BadInput(f"FOURCYCLE_{name}: an address like https://host/path is needed.")
    return str(url)
