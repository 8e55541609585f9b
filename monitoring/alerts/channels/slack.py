"""Slack, and what speaks its incoming webhooks: a text and blocks."""

import json
from typing import Any

from contract.settings import Settings
from monitoring.alerts.channels.delivery import Attempt, Channel, address, post
from monitoring.alerts.message import Message
from monitoring.alerts.wording import bullets, headline, where

VARIABLE = "FOURCYCLE_ALERT_SLACK_URL"
MAX_SECTION = 2900  # characters; Slack takes 3,000 in a section
MAX_HEADER = 150
SIGNS = {"alarm": "🔴", "recovery": "🟢", "test": "⚪"}


def attempt(settings: Settings) -> Attempt | None:
    """Deliver to the incoming webhook that is configured."""
    if not settings.alert_slack_url.get_secret_value():
        return None
    url = address(VARIABLE, settings.alert_slack_url)
    return lambda message, timeout_s: post(url, slack_body(message), {}, timeout_s)


SLACK = Channel(VARIABLE, attempt)


def slack_body(message: Message) -> bytes:
    """An incoming webhook of Slack: `text` for notifications and simple receivers, and blocks."""
    title = headline(message)
    about = f"{message.title}\n{where(message)}" if message.kind != "test" else message.title
    sections = [about, bullets(message.reasons, "•"), "Next\n" + bullets(message.next_steps)]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(f"{SIGNS[message.kind]} {title}"[:MAX_HEADER])},
        # Plain text: a star, a link or a mention in a title or a reason is nothing but text.
        *({"type": "section", "text": _plain(text[:MAX_SECTION], False)} for text in sections),
        {"type": "section", "text": _marked(f"<{message.report}|Report in MLflow>")},
        {"type": "context", "elements": [_plain(message.id)]},
    ]
    text = f"{_escaped(title)}. {_escaped(message.reasons[0])} {message.report}"
    return json.dumps({"text": text, "blocks": blocks}, ensure_ascii=False).encode()


def _plain(text: str, emoji: bool = True) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": emoji}


def _marked(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _escaped(text: str) -> str:
    """Text in which neither Slack nor what speaks like it sees a link or a mention."""
    inert = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An invisible space: others than Slack read Markdown, and `@channel` without brackets.
    return inert.replace("@", "@\u200b").replace("](", "]\u200b(")
