"""Decide what people are due to hear, of reports that stand and of notices, and deliver it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient

from contract.errors import FourcycleError
from contract.markdown import plain
from contract.settings import Settings
from contract.store.locks import alone
from contract.use_case.model import UseCase
from monitoring.alerts.channels.delivery import Send
from monitoring.alerts.channels.registry import channels
from monitoring.alerts.message import AlertGrounds, Message, compose
from monitoring.alerts.notice import Notice, news, worded
from monitoring.alerts.outbox import (
    PendingMessage,
    delivered,
    last_alerts,
    pending,
    record,
)
from monitoring.alerts.policy import OpenAlerts, decide, standing
from monitoring.alerts.wording import briefly
from monitoring.report.history import UnreadableArtifact, read_document, read_history, read_verdict
from monitoring.report.publish import link
from monitoring.windows.versions import asking, monitoring_experiment
from tracking.store import connect
from tracking.tags import ALERT_TAG, NOTE_TAG, NOTICE_TAG, STEP_TAG, USE_CASE_TAG, VERSION_TAG

PATIENCE_S = 300.0  # with another run that delivers


@dataclass(frozen=True)
class Delivery:
    """What became of one message on one channel; `failure` is empty when it arrived."""

    message: Message
    channel: str
    failure: str = ""

    @property
    def line(self) -> str:
        """For the console."""
        if not self.failure:
            return f"alert: {briefly(self.message)}: sent to {self.channel}"
        return (
            f"WARNING: {self.channel} did not take the {briefly(self.message)}: {self.failure}; "
            "the next run tries again"
        )


def announce(
    use_case: UseCase,
    settings: Settings,
    versions: Sequence[str],
    to: Mapping[str, Send],
    warn: Callable[[str], None] = lambda line: None,
    notices: Sequence[Notice] = (),
) -> tuple[Delivery, ...]:
    """Decide on each version and each notice and deliver, also what waits from earlier runs.

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
        outbox = Outbox(client, experiment_id, settings.ui_address, tuple(to), warn)
        for version in versions:
            try:
                _settle(outbox, use_case, version)
            except UnreadableArtifact as error:
                warn(f"nothing was decided on version {version}: {error}")
        for notice in notices:
            _settle_notice(outbox, use_case, notice)
        return _deliver(client, pending(client, experiment_id, to, warn), to)


def tell(
    use_case: UseCase,
    settings: Settings,
    say: Callable[[str], None],
    versions: Sequence[str] = (),
    notices: Sequence[Notice] = (),
) -> None:
    """Announce, and say what became of it. What is told of is done: no trouble here undoes it."""

    def warn(line: str) -> None:
        say(f"WARNING: {line}")

    try:
        done = announce(use_case, settings, versions, channels(settings), warn, notices)
    except Exception as error:  # of any kind; a foreign one's text may hold an address
        reason = str(error) if isinstance(error, FourcycleError) else type(error).__name__
        warn(f"alerts wait for the next run: {reason}")
        return
    for each in done:
        say(each.line)


@dataclass(frozen=True)
class Outbox:
    """Where messages are written down, and for whom."""

    client: MlflowClient
    experiment_id: str
    ui_url: str
    to: tuple[str, ...]
    warn: Callable[[str], None]


def _settle(outbox: Outbox, use_case: UseCase, version: str) -> None:
    """Write down the message that the version's newest reports make due, once for each report."""
    client, experiment_id = outbox.client, outbox.experiment_id
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
    alerts = last_alerts(client, experiment_id, VERSION_TAG, version, outbox.warn)
    due = decide(now, alerts, use_case.monitoring.alert_on)
    if due.kind is None:
        return
    run_id = str(latest.info.run_id)
    report = outbox.ui_url + link(experiment_id, run_id)
    message = compose(due, grounds, use_case, run_id, report, _now())
    record(client, run_id, message, due.alerts, outbox.to)


def _settle_notice(outbox: Outbox, use_case: UseCase, notice: Notice) -> None:
    """Write down the message that is due of a notice, in a run of its own."""
    client, name = outbox.client, notice.kind.name
    told = last_alerts(client, outbox.experiment_id, NOTICE_TAG, name, outbox.warn).open
    kind = news(notice, told)
    if kind is None:
        return
    tags = {STEP_TAG: "notice", USE_CASE_TAG: use_case.name, NOTICE_TAG: name}
    begun_ms = int(time.time() * 1000)
    run = client.create_run(outbox.experiment_id, begun_ms, tags, f"{kind} · {name}")
    run_id = str(run.info.run_id)
    report = outbox.ui_url + (notice.report or link(outbox.experiment_id, run_id))
    message = worded(notice, kind, use_case, run_id, report, _now())
    client.set_tag(run_id, NOTE_TAG, "\n\n".join(map(plain, message.reasons)))
    after = OpenAlerts(told | {notice.about}) if kind == "alarm" else OpenAlerts()
    record(client, run_id, message, after, outbox.to)
    client.set_terminated(run_id)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
