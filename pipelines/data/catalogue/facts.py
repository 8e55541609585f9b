"""What is known of a table beside its values: age, versions, validations, models made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contract.names import TableName, experiment
from contract.store import upkeep
from contract.store.sql import quoted
from contract.store.tables import CONTENT_HASH, Tables
from monitoring.alerts.notices.late_delivery import collected_at
from pipelines.data.catalogue.known import KnownUseCase, all_versions
from tracking.tags import DATA_VERSION_TAG, STEP_TAG, table_version_tag

if TYPE_CHECKING:  # it takes seconds to import, and most questions here are about tables
    from mlflow import MlflowClient

VALIDATIONS = 10  # that are told
EVENT_TIMES: dict[TableName, str] = {"predictions": "event_time", "feedback": "label_time"}


@dataclass(frozen=True)
class TableAge:
    """How fresh a table is; moments are UTC."""

    written: datetime  # the newest commit that changed rows
    newest_event: datetime | None  # of the rows
    collected: datetime | None  # of raw: when the source last brought rows that stand there
    expected_every: str  # as source.expect_every says; "" where nothing is expected
    late: bool


def summary(tables: Tables, name: TableName) -> dict[str, Any]:
    """Name, newest version, rows, and when it was written."""
    rows = tables.query("SELECT count(*) AS n FROM t", t=tables.open(name)).column("n")[0].as_py()
    newest = commit(tables.history(name)[0])
    return {"table": name, "version": newest["version"], "rows": rows, "written": newest["written"]}


def commit(entry: dict[str, Any]) -> dict[str, Any]:
    """One version of a table."""
    return {
        "version": entry.get("version"),
        "written": _moment(entry).isoformat(timespec="seconds"),
        "operation": entry.get("operation"),
        "content_hash": entry.get(CONTENT_HASH),
    }


def age(tables: Tables, name: TableName, known: KnownUseCase, now: datetime) -> TableAge:
    """How fresh a table is, and whether the source is late by what the use case expects."""
    history = tables.history(name)
    changes = (e for e in history if e.get("operation") not in upkeep.OPERATIONS)
    collected = collected_at(tables) if name == "raw" else None
    source = known.declared.source if known.declared else None
    every = source.expected_every if source and name == "raw" else None
    return TableAge(
        written=_moment(next(changes, history[-1])),
        newest_event=_newest_event(tables, name, known),
        collected=collected,
        expected_every=str(source.expect_every) if source and every else "",
        late=bool(every and collected and now - collected > every),
    )


def validations(client: "MlflowClient", use_case: str) -> list[dict[str, Any]]:
    """What the newest validations found, the newest first; refused ones are among them."""
    training = client.get_experiment_by_name(experiment(use_case, "training"))
    if training is None:
        return []
    runs = client.search_runs(
        [training.experiment_id],
        f"tags.{STEP_TAG} = 'validate' and attributes.status != 'RUNNING'",
        max_results=VALIDATIONS,
        order_by=["attributes.start_time DESC"],
    )
    return [_validation(run) for run in runs]


def models(
    client: "MlflowClient", use_case: str, names: Sequence[TableName]
) -> dict[TableName, list[dict[str, Any]]]:
    """Registered versions that rest on each table, the newest first, with the table's version."""
    found: dict[TableName, list[dict[str, Any]]] = {name: [] for name in names}
    versions = sorted(all_versions(client, use_case), key=lambda v: -int(v.version))
    for version in versions:
        for name in names:
            if (at := version.tags.get(table_version_tag(name))) is not None:
                model = {"model": use_case, "version": str(version.version), "table_version": at}
                found[name].append(model)
    return found


def _validation(run: Any) -> dict[str, Any]:
    figures = run.data.metrics
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    return {
        "run": run.info.run_id,
        "when": started.isoformat(timespec="seconds"),
        "result": "passed" if run.info.status == "FINISHED" else "refused",
        "data_version": run.data.tags.get(DATA_VERSION_TAG),
        "expectations_passed": figures.get("expectations_passed"),
        "expectations_failed": figures.get("expectations_failed"),
        "rows_quarantined": figures.get("rows_quarantined"),
    }


def _newest_event(tables: Tables, name: TableName, known: KnownUseCase) -> datetime | None:
    column = EVENT_TIMES.get(name) or (known.declared.event_time if known.declared else None)
    opened = tables.open(name)
    if column is None or column not in {field.name for field in opened.schema().fields}:
        return None
    found = tables.query(f"SELECT max({quoted(column)}) AS newest FROM t", t=opened)  # noqa: S608
    newest: datetime | None = found.column("newest")[0].as_py()
    return newest


def _moment(entry: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(entry["timestamp"]) / 1000, UTC)
