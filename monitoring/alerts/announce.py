"""After a report stands: decide what people are due to hear, and deliver it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient

from contract.errors import FourcycleError
from contract.settings import Settings
from contract.store.locks import alone
from contract.use_case.model import UseCase
from monitoring.alerts.channels.delivery import Send
from monitoring.alerts.message import AlertGrounds, Message, compose
from monitoring.alerts.outbox import (
    PendingMessage,
    delivered,
    last_alerts,
    pending,
    record,
)
from monitoring.alerts.policy import decide, standing
from monitoring.report.history import UnreadableArtifact, read_document, read_history, read_verdict
from monitoring.report.publish import link
from monitoring.windows.versions import asking, monitoring_experiment
from tracking.store import connect
from tracking.tags import ALERT_TAG

PATIENCE_S = 300.0  # with another run that delivers


@dataclass(frozen=True)
class Delivery:
    """What became of one message on one channel; `failure` is empty when it arrived."""

    message: Message
    channel: str
    failure: str = ""


def announce(
    use_case: UseCase,
    settings: Settings,
    versions: Sequence[str],
    to: Mapping[str, Send],
    warn: Callable[[str], None] = lambda line: None,
) -> tuple[Delivery, ...]:
    """Decide on each version and deliver, also what waits from earlier runs.

    Without a channel nothing is decided: who configures one hears of what is open then. A version
    or message of which something can't be read costs no other one; `warn` is told.
    Unavailable when MLflow is away, Busy when another run does not end.
    """
    if not to:
        return ()
    client = connect(settings)
    # Two runs at once: the second waits here, then finds what the first has delivered.
    with alone(settings, f"{use_case.name}.alerts", PATIENCE_S), asking():
        experiment_id = monitoring_experiment(client, settings, use_case.name)
        for version in versions:
            try:
                _settle(client, experiment_id, use_case, version, settings.ui_url, list(to), warn)
            except UnreadableArtifact as error:
                warn(f"nothing was decided on version {version}: {error}")
        return _deliver(client, pending(client, experiment_id, to, warn), to)


def _settle(
    client: MlflowClient,
    experiment_id: str,
    use_case: UseCase,
    version: str,
    ui_url: str,
    to: Sequence[str],
    warn: Callable[[str], None],
) -> None:
    """Write down the message that the version's newest reports make due, once for each report."""
    history = read_history(client, experiment_id, version)
    newest, labelled = history.newest_judged(), history.newest_judged(labelled=True)
    if newest is None:
        return
    latest = max((r for r in (newest, labelled) if r), key=lambda run: run.info.start_time)
    if ALERT_TAG in latest.data.tags:
        return
    documents = {r.info.run_id: read_document(r) for r in (newest, labelled) if r}
    grounds = AlertGrounds(
        documents[newest.info.run_id],
        documents[labelled.info.run_id] if labelled else None,
        documents[latest.info.run_id],
    )
    late = read_verdict(grounds.labelled) if grounds.labelled else None
    now = standing(read_verdict(grounds.newest), late)
    alerts = last_alerts(client, experiment_id, version, warn)
    due = decide(now, alerts, use_case.monitoring.alert_on)
    if due.kind is None:
        return
    run_id = str(latest.info.run_id)
    report = ui_url.rstrip("/") + link(experiment_id, run_id)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    record(client, run_id, compose(due, grounds, use_case, run_id, report, at), due.alerts, to)


def _deliver(
    client: MlflowClient, waiting: Sequence[PendingMessage], to: Mapping[str, Send]
) -> tuple[Delivery, ...]:
    """Messages in their order; a channel that fails gets no later one before the failed one."""
    done: list[Delivery] = []
    failed: set[str] = set()
    for item in waiting:
        rest = item
        for channel in item.channels:
            if channel not in to or channel in failed:
                continue
            try:
                to[channel](item.message)
            except FourcycleError as error:
                failed.add(channel)
                done.append(Delivery(item.message, channel, str(error)))
                continue
            rest = delivered(client, rest, channel, datetime.now(UTC))
            done.append(Delivery(item.message, channel))
    return tuple(done)
