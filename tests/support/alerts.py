"""A message about drift, and a channel to send it by."""

from typing import Any

from contract.settings import Settings
from monitoring.alerts.channels.registry import channels
from monitoring.alerts.message import Message

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
