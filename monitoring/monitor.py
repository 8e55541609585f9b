"""One monitoring run: a window of one version against its reference, written back to MLflow."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from contract.errors import BadInput, Unavailable
from contract.fingerprint import value_hash
from contract.names import CHAMPION, REFERENCE_DIR, USE_CASE_FILE, experiment
from contract.settings import SQLITE, Settings
from contract.tables import Tables
from contract.use_case_file import parse_use_case
from monitoring.drift import DriftReport, compare
from monitoring.reference import load
from monitoring.report import verdict_markdown
from monitoring.window import Window, read_window

CONTENT_TAG = "content"
VERDICT_TAG = "verdict"


@dataclass(frozen=True)
class Monitored:
    """Where the report stands and what it says."""

    status: str
    version: str
    run_id: str
    experiment_id: str
    report: str  # address of the artifact
    columns_drifted: tuple[str, ...]
    already: bool  # another run reported this very window before


def monitor(name: str, settings: Settings, window: Window, version: str = "") -> Monitored:
    """Report on a window of the given version (empty: the champion), once per content."""
    client = connect(settings)
    try:
        version = version or str(client.get_model_version_by_alias(name, CHAMPION).version)
        source = client.get_model_version_download_uri(name, version)
    except mlflow.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise BadInput(f"{name!r} has no version {version or 'in Production'}.") from error
        raise Unavailable(f"The registry did not answer: {error.error_code}.") from error
    text = mlflow.artifacts.load_text(f"{source}/{USE_CASE_FILE}")
    use_case = parse_use_case(text, USE_CASE_FILE, Path.cwd())
    rows = read_window(Tables(settings.table_root, name), use_case, version, window)
    content = value_hash([name, version, str(window), rows.content])
    where = monitoring_experiment(client, settings, name)
    known = client.search_runs(
        [where], f"tags.{CONTENT_TAG} = '{content}' and attributes.status = 'FINISHED'"
    )
    if known:
        tags = known[0].data.tags
        drifted = tuple(n for n in tags.get("columns_drifted", "").split(", ") if n)
        run_id = known[0].info.run_id
        place = f"{known[0].info.artifact_uri}/report.html"
        return Monitored(tags[VERDICT_TAG], version, run_id, where, place, drifted, True)
    with tempfile.TemporaryDirectory() as folder:
        uri = f"{source}/{REFERENCE_DIR}"
        found = load(Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder)))
    report = compare(rows.frame, found.inputs, use_case)
    return _log(where, name, version, window, content, report, len(rows.frame))


def connect(settings: Settings) -> MlflowClient:
    """Point MLflow at the tracking store and registry of the settings."""
    uri = settings.tracking_uri
    if uri.startswith(SQLITE):
        uri = SQLITE + str(settings.home / Path(uri.removeprefix(SQLITE)).name)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


def monitoring_experiment(client: MlflowClient, settings: Settings, name: str) -> str:
    """Id of the experiment that holds the monitoring runs, created on first use."""
    title = experiment(name, "monitoring")
    found = client.get_experiment_by_name(title)
    if found:
        return str(found.experiment_id)
    beside = None
    if settings.tracking_uri.startswith(SQLITE):
        beside = (settings.home / "mlruns" / title.replace("/", "-")).as_uri()
    tags = {"mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(title, artifact_location=beside, tags=tags))


def _log(
    where: str,
    name: str,
    version: str,
    window: Window,
    content: str,
    report: DriftReport,
    n_rows: int,
) -> Monitored:
    with mlflow.start_run(experiment_id=where, run_name=f"{window} · version {version}") as run:
        page = verdict_markdown(report, window, version, n_rows)
        mlflow.set_tags(
            {
                "step": "monitor",
                "use_case": name,
                "model_version": version,
                "window": str(window),
                CONTENT_TAG: content,
                VERDICT_TAG: report.status,
                "columns_drifted": ", ".join(report.drifted),
                "mlflow.note.content": page,
            }
        )
        mlflow.log_metrics({"rows": n_rows, "columns_drifted": len(report.drifted)})
        mlflow.log_metrics({f"drift/{column}": score for column, score in report.scores.items()})
        mlflow.log_text(page, "verdict.md")
        place = "verdict.md"
        if report.html:
            mlflow.log_text(report.html, "report.html")
            mlflow.log_text(report.document, "report.json")
            place = "report.html"
        address = f"{run.info.artifact_uri}/{place}"
    return Monitored(report.status, version, run.info.run_id, where, address, report.drifted, False)
