"""Messages in MLflow, each with the report that caused it or a run of its own: what was decided,
and who got it.

A message is written before it is sent, and its delivery is noted after. A process that dies between
the two makes the next one send it again under the same id: at least once, never lost.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from mlflow import MlflowClient
from mlflow.entities import Run, RunTag

from monitoring.alerts.message import Message
from monitoring.alerts.policy import OpenAlerts
from monitoring.report.history import UnreadableArtifact, read_artifact
from tracking.tags import ALERT_DUE_TAG, ALERT_SENT_TAG, ALERT_TAG

MESSAGE_FILE = "alert.json"
MAX_PENDING = 1000  # messages looked at by one run of the command


@dataclass(frozen=True)
class PendingMessage:
    """A message that channels still wait for."""

    run_id: str
    message: Message
    channels: tuple[str, ...]
    sent: str


def last_alerts(
    client: MlflowClient, experiment_id: str, tag: str, about: str, warn: Callable[[str], None]
) -> OpenAlerts:
    """What the last message of a conversation left open and closed, of those that can be read.

    A conversation is about a version, or a kind of notice: what the tag says.
    """
    runs = client.search_runs(
        [experiment_id],
        f"tags.{ALERT_TAG} != '' and tags.{tag} = '{about}'",
        max_results=MAX_PENDING,
        order_by=["attributes.start_time DESC"],
    )
    for run in runs:
        try:
            alerts = read_artifact(run, MESSAGE_FILE)["told"]
        except UnreadableArtifact as error:
            warn(str(error))
        else:
            return OpenAlerts(frozenset(alerts["open"]), frozenset(alerts["closed"]))
    return OpenAlerts()


def record(
    client: MlflowClient, run_id: str, message: Message, alerts: OpenAlerts, channels: Sequence[str]
) -> None:
    """Write a message to the report that caused it. The tags come last: they make it count."""
    after = {"open": sorted(alerts.open), "closed": sorted(alerts.closed)}
    client.log_dict(run_id, {"message": asdict(message), "told": after}, MESSAGE_FILE)
    _tag(client, run_id, {ALERT_TAG: message.kind, ALERT_DUE_TAG: ", ".join(channels)})


def pending(
    client: MlflowClient,
    experiment_id: str,
    channels: Collection[str],
    warn: Callable[[str], None],
) -> list[PendingMessage]:
    """Messages that one of these channels waits for and that can be read, the oldest first."""
    runs = {
        run.info.run_id: run
        for channel in channels  # a channel that is gone must not use up the room
        for run in client.search_runs(
            [experiment_id],
            f"tags.{ALERT_DUE_TAG} LIKE '%{channel}%'",
            max_results=MAX_PENDING,
            order_by=["attributes.start_time ASC"],
        )
    }
    messages = []
    for run in sorted(runs.values(), key=lambda run: run.info.start_time):
        try:
            messages.append(_pending(run))
        except UnreadableArtifact as error:
            warn(str(error))
    return messages


def delivered(
    client: MlflowClient, item: PendingMessage, channel: str, at: datetime
) -> PendingMessage:
    """Note that a channel got the message; what remains."""
    remain = tuple(name for name in item.channels if name != channel)
    sent = f"{item.sent}, " if item.sent else ""
    sent += f"{channel} {at.isoformat(timespec='seconds')}"
    _tag(client, item.run_id, {ALERT_DUE_TAG: ", ".join(remain), ALERT_SENT_TAG: sent})
    return PendingMessage(item.run_id, item.message, remain, sent)


def _pending(run: Run) -> PendingMessage:
    tags, values = run.data.tags, read_artifact(run, MESSAGE_FILE)["message"]
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    message = Message(**{**values, **lists})
    return PendingMessage(
        run.info.run_id,
        message,
        tuple(tags[ALERT_DUE_TAG].split(", ")),
        tags.get(ALERT_SENT_TAG, ""),
    )


def _tag(client: MlflowClient, run_id: str, tags: dict[str, str]) -> None:
    """All at once."""
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
