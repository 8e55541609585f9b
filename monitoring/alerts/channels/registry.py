"""The channels by name. One more is a file beside this one and a line here."""

from collections.abc import Mapping

from contract.settings import Settings
from monitoring.alerts.channels.delivery import Channel, Send, persistent
from monitoring.alerts.channels.mail import MAIL
from monitoring.alerts.channels.slack import SLACK
from monitoring.alerts.channels.webhook import WEBHOOK

CHANNELS: Mapping[str, Channel] = {
    "webhook": WEBHOOK,
    "slack": SLACK,
    "mail": MAIL,
}


def channels(settings: Settings) -> dict[str, Send]:
    """The configured channels by name; BadInput where one is configured by half."""
    attempts = {name: channel.attempt(settings) for name, channel in CHANNELS.items()}
    return {
        name: persistent(attempt, settings.alert_deadline_s)
        for name, attempt in attempts.items()
        if attempt is not None
    }
