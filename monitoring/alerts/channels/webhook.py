"""The signed webhook, for programs: a JSON document as Standard Webhooks advises."""

import json
import time
from dataclasses import asdict

from contract.errors import BadInput
from contract.settings import Settings
from monitoring.alerts.channels.delivery import Attempt, Channel, address, post
from monitoring.alerts.message import Message
from monitoring.alerts.signature import read_key, signed_headers

VARIABLE = "FOURCYCLE_ALERT_WEBHOOK_URL"


def attempt(settings: Settings) -> Attempt | None:
    """Deliver signed, each time anew: the signature holds the time of this very attempt."""
    if not settings.alert_webhook_url.get_secret_value():
        return None
    url = address(VARIABLE, settings.alert_webhook_url)
    key = read_key(settings.alert_webhook_secret.get_secret_value())
    if not key:
        raise BadInput(
            "FOURCYCLE_ALERT_WEBHOOK_SECRET: whsec_ and 24 to 64 bytes in base64 are needed, "
            "since the webhook is signed; found something else."
        )

    def deliver(message: Message, timeout_s: float) -> None:
        body = webhook_body(message)
        post(url, body, signed_headers(key, message.id, int(time.time()), body), timeout_s)

    return deliver


WEBHOOK = Channel(VARIABLE, attempt)


def webhook_body(message: Message) -> bytes:
    """The JSON of a delivery: type, timestamp and data."""
    data = asdict(message)
    kind, decided = data.pop("kind"), data.pop("decided")
    document = {"type": f"monitoring.{kind}", "timestamp": decided, "data": data}
    return json.dumps(document, ensure_ascii=False).encode()
