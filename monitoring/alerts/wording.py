"""One message in the form of each channel: JSON for programs, blocks for chat, a mail."""

import json
from dataclasses import asdict
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from monitoring.alerts.message import Message

MAX_SECTION = 2900  # characters; Slack takes 3,000 in a section
MAX_HEADER = 150
SIGNS = {"alarm": "🔴", "recovery": "🟢", "test": "⚪"}


def headline(message: Message) -> str:
    """One line that says what happened to whom."""
    happened = {"alarm": message.state, "recovery": "recovered", "test": "test of alerts"}
    version = "" if message.kind == "test" else f" version {message.version}"
    return f"{message.use_case}{version}: {happened[message.kind]}"


def webhook_body(message: Message) -> bytes:
    """The JSON of the generic webhook: type, timestamp and data, as Standard Webhooks advises."""
    data = asdict(message)
    kind, decided = data.pop("kind"), data.pop("decided")
    document = {"type": f"monitoring.{kind}", "timestamp": decided, "data": data}
    return json.dumps(document, ensure_ascii=False).encode()


def slack_body(message: Message) -> bytes:
    """An incoming webhook of Slack: `text` for notifications and simple receivers, and blocks."""
    said = headline(message)
    about = f"{message.title}\n{_where(message)}" if message.kind != "test" else message.title
    sections = [about, _bullets(message.reasons, "•"), "Next\n" + _bullets(message.next_steps)]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(f"{SIGNS[message.kind]} {said}"[:MAX_HEADER])},
        # Plain text: a star, a link or a mention in a title or a reason is nothing but text.
        *({"type": "section", "text": _plain(text[:MAX_SECTION], False)} for text in sections),
        {"type": "section", "text": _marked(f"<{message.report}|Report in MLflow>")},
        {"type": "context", "elements": [_plain(message.id)]},
    ]
    text = f"{_escaped(said)}. {_escaped(message.reasons[0])} {message.report}"
    return json.dumps({"text": text, "blocks": blocks}, ensure_ascii=False).encode()


def mail(message: Message, sender: str, recipients: str) -> EmailMessage:
    """The message as plain text; its Message-ID is the same when it is sent again."""
    letter = EmailMessage()
    letter["Subject"] = f"[{message.kind}] {headline(message)}"
    letter["From"], letter["To"] = sender, recipients
    letter["Date"] = format_datetime(datetime.fromisoformat(message.decided))
    letter["Message-ID"] = f"<{message.id}@fourcycle>"
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    lines = [message.title, _where(message), "", _bullets(message.reasons), ""]
    lines += ["Next:", _bullets(message.next_steps), "", f"Report: {message.report}"]
    lines += [f"Owner: {message.owner}"] if message.owner else []
    letter.set_content("\n".join(lines) + "\n")
    return letter


def _where(message: Message) -> str:
    revision = f", revision {message.revision}" if message.revision > 1 else ""
    return f"{message.state}, version {message.version}, window {message.window}{revision}"


def _bullets(lines: tuple[str, ...], mark: str = "-") -> str:
    return "\n".join(f"{mark} {line}" for line in lines)


def _plain(text: str, emoji: bool = True) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": emoji}


def _marked(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _escaped(text: str) -> str:
    """Text in which neither Slack nor what speaks like it sees a link or a mention."""
    inert = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An invisible space: others than Slack read Markdown, and `@channel` without brackets.
    return inert.replace("@", "@\u200b").replace("](", "]\u200b(")
