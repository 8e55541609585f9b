"""Messages in MLflow, each with the report that caused it: what was decided, and who got it.

A message is written before it is sent, and its delivery is noted after. A process that dies between
the two makes the next one send it again under the same id: at least once, never lost.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run, RunTag

from monitoring.due import Told
from monitoring.history import VERSION_TAG
from monitoring.message import Message

MESSAGE_FILE = "alert.json"
ALERT_TAG = "alert"  # alarm or recovery
DUE_TAG = "alert_due"  # channels that did not get it yet
SENT_TAG = "alert_sent"  # channels that did, and when
MAX_PENDING = 1000  # messages looked at by one run of the command


@dataclass(frozen=True)
class Pending:
    """A message that channels still wait for."""

    run_id: str
    message: Message
    channels: tuple[str, ...]
    sent: str


def last_told(client: MlflowClient, experiment_id: str, version: str) -> Told:
    """What the last message about a version left open and closed."""
    found = client.search_runs(
        [experiment_id],
        f"tags.{ALERT_TAG} != '' and tags.{VERSION_TAG} = '{version}'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    if not found:
        return Told()
    told = _read(found[0])["told"]
    return Told(frozenset(told["open"]), frozenset(told["closed"]))


def record(
    client: MlflowClient, run_id: str, message: Message, told: Told, channels: Sequence[str]
) -> None:
    """Write a message to the report that caused it. The tags come last: they make it count."""
    after = {"open": sorted(told.open), "closed": sorted(told.closed)}
    client.log_dict(run_id, {"message": asdict(message), "told": after}, MESSAGE_FILE)
    _tag(client, run_id, {ALERT_TAG: message.kind, DUE_TAG: ", ".join(channels)})


def pending(client: MlflowClient, experiment_id: str) -> list[Pending]:
    """Messages that channels wait for, the oldest first."""
    runs = client.search_runs(
        [experiment_id],
        f"tags.{DUE_TAG} != ''",
        max_results=MAX_PENDING,
        order_by=["attributes.start_time ASC"],
    )
    return [_pending(run) for run in runs]


def delivered(client: MlflowClient, item: Pending, channel: str, at: datetime) -> Pending:
    """Note that a channel got the message; what remains."""
    remain = tuple(name for name in item.channels if name != channel)
    sent = f"{item.sent}, " if item.sent else ""
    sent += f"{channel} {at.isoformat(timespec='seconds')}"
    _tag(client, item.run_id, {DUE_TAG: ", ".join(remain), SENT_TAG: sent})
    return Pending(item.run_id, item.message, remain, sent)


def _pending(run: Run) -> Pending:
    tags, found = run.data.tags, _read(run)["message"]
    lists = {key: tuple(value) for key, value in found.items() if isinstance(value, list)}
    message = Message(**{**found, **lists})
    return Pending(
        run.info.run_id, message, tuple(tags[DUE_TAG].split(", ")), tags.get(SENT_TAG, "")
    )


def _read(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{MESSAGE_FILE}")
    return found


def _tag(client: MlflowClient, run_id: str, tags: dict[str, str]) -> None:
    """All at once."""
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
