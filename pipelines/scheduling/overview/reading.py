"""How every use case stands, read from MLflow, the tables and this host; nothing is moved."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from deltalake.exceptions import DeltaError
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from contract.addresses import SQLITE, sqlite_file
from contract.errors import FourcycleError, Unavailable
from contract.markdown import in_view
from contract.names import CHALLENGER, CHAMPION, Cycle, experiment
from contract.settings import Settings
from contract.store.ledger import LedgerEntry, broken_link, read_entries, state_after
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from monitoring.alerts.notices.registry import look as look_for_notices
from pipelines.data.catalogue.known import KnownUseCase, known, names_in
from pipelines.registry.description import PENDING, acted_by, approver, begun, moment
from pipelines.runtime.keeping.table_copies import saved
from pipelines.scheduling.overview.jobs import job_standings
from pipelines.scheduling.overview.standing import (
    LiveVersion,
    MeasuredQuality,
    NewestVerdict,
    SpoolBacklog,
    UseCaseStanding,
)
from serving.shipping.shipper_status import read_status, status_now
from tracking.store import client_of, look
from tracking.tags import (
    APPROVAL_TAG,
    EVALUATE_RUN_TAG,
    GATE_REASONS_TAG,
    GATE_TAG,
    LABELLED_TAG,
    MONITORING_REASON_TAG,
    MONITORING_WINDOW_TAG,
    STEP_TAG,
    TRAIN_RUN_TAG,
    VERDICT_TAG,
    VERSION_TAG,
    WINDOW_END_TAG,
    WINDOW_TAG,
)

T = TypeVar("T")
HOLDOUT = "on the holdout"


def connected_to(settings: Settings) -> MlflowClient | None:
    """A client of the store, which is asked once; None where no store was made yet.

    Unavailable where it does not answer: who asks how things are does not wait for a minute.
    """
    if settings.store_uri.startswith(SQLITE) and not sqlite_file(settings.store_uri).is_file():
        return None
    look(settings)
    return client_of(settings)


def standings(
    settings: Settings, client: MlflowClient, now: datetime, reference: str = ""
) -> dict[str, tuple[KnownUseCase, UseCaseStanding]]:
    """Every use case that the store knows, or the one that `reference` names, by name."""
    with tables_answering(settings):
        names = names_in(client, settings.table_root)
    found = {name: known(name, client) for name in names} if not reference else {}
    if reference:
        one = _named(reference, client, names)
        found = {one.name: one}
    return {name: (one, standing(settings, client, one, now)) for name, one in found.items()}


def standing(
    settings: Settings, client: MlflowClient, one: KnownUseCase, now: datetime
) -> UseCaseStanding:
    """How one use case stands. What can't be read is told, and the rest all the same."""
    tables, declared = Tables(settings.table_root, one.name), one.declared
    troubles = [one.trouble] if one.trouble else []
    with tables_answering(settings):
        there = tuple(saved(tables))
        entries = _told(lambda: read_entries(tables), troubles) or []
        notices = _told(lambda: _notices(declared, tables, entries, now), troubles) or []
    aliases = _aliases(client, one.name)
    # By the ledger, as the service follows it; by the alias where there is none yet.
    live = state_after(entries).champion if entries else aliases.get(CHAMPION, "")
    champion = _version(client, one.name, live)
    challenger = _version(client, one.name, aliases.get(CHALLENGER, ""))
    metric = declared.evaluation.metric if declared else ""
    with_labels = f" and tags.{LABELLED_TAG} = 'yes'"
    newest, labelled = (_report(client, one.name, champion, only) for only in ("", with_labels))
    waiting, for_person = _waiting(one, challenger)
    return UseCaseStanding(
        name=one.name,
        title=declared.title if declared else one.name,
        owner=declared.owner if declared else "",
        description=declared.description if declared else "",
        live=_live(entries, champion),
        holdout=_holdout(client, champion, metric),
        realised=_realised(labelled, metric),
        verdict=_verdict(newest, champion),
        label_coverage=labelled.data.metrics.get("label_coverage") if labelled else None,
        backlog=_told(lambda: _backlog(settings, one.name), troubles),
        waiting=waiting,
        waits_for_person=for_person,
        jobs=_told(lambda: job_standings(settings, declared, now), troubles) or (),
        pipeline=_last_pipeline(client, one.name),
        notices=tuple(notices),
        troubles=tuple(troubles),
        tables=there,
    )


@contextmanager
def tables_answering(settings: Settings) -> Iterator[None]:
    """Unavailable where the tables' store does not answer in the block."""
    try:
        yield
    except (OSError, DeltaError) as error:
        first = " ".join(str(error).split())[:200]
        raise Unavailable(
            f"The tables under {settings.table_root} do not answer ({first}); try again later."
        ) from error


def _told(read: Callable[[], T], troubles: list[str]) -> T | None:
    """What a read answers; None where it is refused, and why among the troubles."""
    try:
        return read()
    except Unavailable:
        raise
    except FourcycleError as error:
        troubles.append(" ".join(str(error).split()))
        return None


def _named(reference: str, client: MlflowClient, names: list[str]) -> KnownUseCase:
    """A use case by a name that the store knows, by a shipped name or by a path."""
    if reference in names:
        return known(reference, client)
    return known(load_use_case(reference).name, client, reference)


def _notices(
    declared: UseCase | None, tables: Tables, entries: list[LedgerEntry], now: datetime
) -> list[str]:
    broken = broken_link(entries)
    found = [f"the ledger is damaged: {broken}"] if broken else []
    if declared:
        wrong = (notice for notice in look_for_notices(declared, tables, now) if notice.about)
        found += [" ".join(notice.reasons) for notice in wrong]
    return found


def _live(entries: list[LedgerEntry], champion: ModelVersion | None) -> LiveVersion:
    if not entries:
        version = str(champion.version) if champion else ""
        return LiveVersion(version, None, "", "")
    if not any(entry.state.champion for entry in entries):
        return LiveVersion("", None, "none was promoted yet", "")
    start = begun(entries)
    return LiveVersion(entries[-1].state.champion, start.time, start.why, acted_by(start))


def _aliases(client: MlflowClient, name: str) -> dict[str, str]:
    found = client.search_registered_models(f"name = '{name}'", max_results=1)
    return (
        {str(alias): str(version) for alias, version in found[0].aliases.items()} if found else {}
    )


def _version(client: MlflowClient, name: str, version: str) -> ModelVersion | None:
    return client.get_model_version(name, version) if version else None


def _holdout(
    client: MlflowClient, champion: ModelVersion | None, metric: str
) -> MeasuredQuality | None:
    tags = champion.tags if champion else {}
    run_id = tags.get(EVALUATE_RUN_TAG) or tags.get(TRAIN_RUN_TAG)
    if not run_id:
        return None
    return _measured(client.get_run(run_id), f"holdout/{metric}", metric, HOLDOUT)


def _realised(report: Run | None, metric: str) -> MeasuredQuality | None:
    if report is None:
        return None
    where = f"by the labels of {report.data.tags.get(WINDOW_TAG, '')}"
    return _measured(report, f"realised/{metric}", metric, where)


def _measured(run: Run, name: str, metric: str, on: str) -> MeasuredQuality | None:
    figures = run.data.metrics
    if name not in figures:
        return None
    return MeasuredQuality(
        metric, figures[name], figures.get(f"{name}_low"), figures.get(f"{name}_high"), on
    )


def _runs(
    client: MlflowClient, name: str, cycle: Cycle, wanted: str, order: list[str]
) -> list[Run]:
    """The first run of a use case's experiment in that order."""
    where = client.get_experiment_by_name(experiment(name, cycle))
    if where is None:
        return []
    return list(client.search_runs([where.experiment_id], wanted, max_results=1, order_by=order))


def _report(
    client: MlflowClient, name: str, champion: ModelVersion | None, only: str
) -> Run | None:
    """The newest report on the latest window of the live version."""
    if champion is None:
        return None
    wanted = (
        f"tags.{STEP_TAG} = 'monitor' and tags.{VERSION_TAG} = '{champion.version}' "
        f"and attributes.status = 'FINISHED'{only}"
    )
    order = [f"tags.{WINDOW_END_TAG} DESC", "attributes.start_time DESC"]
    return next(iter(_runs(client, name, "monitoring", wanted, order)), None)


def _verdict(report: Run | None, champion: ModelVersion | None) -> NewestVerdict | None:
    if report is None or champion is None:
        return None
    tags, said = report.data.tags, champion.tags
    window = tags.get(WINDOW_TAG, "")
    reason = (
        said.get(MONITORING_REASON_TAG, "") if said.get(MONITORING_WINDOW_TAG) == window else ""
    )
    page = in_view(f"experiments/{report.info.experiment_id}/runs/{report.info.run_id}")
    return NewestVerdict(tags.get(VERDICT_TAG, ""), window, reason, f"/{page}")


def _waiting(one: KnownUseCase, challenger: ModelVersion | None) -> tuple[str, bool]:
    """What waits for whom, and whether that is a person."""
    if challenger is None:
        return "", False
    tags, version = challenger.tags, challenger.version
    if tags.get(APPROVAL_TAG) == PENDING:
        whom = approver(one.declared.release, tags) if one.declared else "a second person"
        return f"version {version} waits for the approval of {whom}", True
    if GATE_TAG not in tags:
        return f"version {version} waits for the gate", False
    reasons = tags.get(GATE_REASONS_TAG, "")
    return f"version {version} stands in Staging, gate {tags[GATE_TAG]}: {reasons}", False


def _backlog(settings: Settings, name: str) -> SpoolBacklog | None:
    folder = settings.spool_folder(name)
    if not folder.is_dir():
        return None
    now, last = status_now(folder, 0, ""), read_status(folder)
    problem = last.problem if last else ""
    return SpoolBacklog(now.backlog_rows, now.backlog_age_s, now.quarantined, problem)


def _last_pipeline(client: MlflowClient, name: str) -> str:
    """How the last pipeline ended, where it did not do its work."""
    wanted = f"tags.{STEP_TAG} = 'main' and attributes.status != 'RUNNING'"
    runs = _runs(client, name, "training", wanted, ["attributes.start_time DESC"])
    if not runs or runs[0].info.status == "FINISHED":
        return ""
    ended = datetime.fromtimestamp((runs[0].info.end_time or runs[0].info.start_time) / 1000, UTC)
    how = "was stopped" if runs[0].info.status == "KILLED" else "failed"
    return f"the last pipeline {how}, {moment(ended)}"
