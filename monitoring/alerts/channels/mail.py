"""Mail over SMTP: the message as plain text."""

import logging
import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from contract.errors import BadInput, FourcycleError, Refused
from contract.settings import Settings
from monitoring.alerts.channels.delivery import Attempt, Channel, TemporaryFailure
from monitoring.alerts.message import Message
from monitoring.alerts.wording import bullets, headline, where


def attempt(settings: Settings) -> Attempt | None:
    """Hand over to the mail server that is configured."""
    if not settings.alert_smtp_host:
        return None
    if not (settings.alert_mail_from and settings.alert_mail_to):
        raise BadInput(
            "FOURCYCLE_ALERT_SMTP_HOST needs FOURCYCLE_ALERT_MAIL_FROM and "
            "FOURCYCLE_ALERT_MAIL_TO too."
        )
    return lambda message, timeout_s: send_mail(settings, message, timeout_s)


MAIL = Channel("FOURCYCLE_ALERT_SMTP_HOST", attempt)


def letter_of(message: Message, sender: str, recipients: str) -> EmailMessage:
    """The message as plain text; its Message-ID is the same when it is sent again."""
    letter = EmailMessage()
    letter["Subject"] = f"[{message.kind}] {headline(message)}"
    letter["From"], letter["To"] = sender, recipients
    letter["Date"] = format_datetime(datetime.fromisoformat(message.decided))
    letter["Message-ID"] = f"<{message.id}@fourcycle>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    lines = [message.title, where(message), "", bullets(message.reasons), ""]
    lines += ["Next:", bullets(message.next_steps), "", f"Report: {message.report}"]
    lines += [f"Owner: {message.owner}"] if message.owner else []
    letter.set_content("\n".join(lines) + "\n")
    return letter


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
        letter = letter_of(message, settings.alert_mail_from, settings.alert_mail_to)
        if refused := server.send_message(letter):
            # The others have it; to send it again would reach them twice.
            logging.getLogger(__name__).warning("%d mail recipients were refused", len(refused))


def _smtp_failure(code: int, reason: str) -> FourcycleError:
    """4xx may pass, 5xx is a no (RFC 5321, 4.2.1)."""
    return TemporaryFailure(f"{reason} ({code})") if code < 500 else Refused(f"{reason} ({code})")
