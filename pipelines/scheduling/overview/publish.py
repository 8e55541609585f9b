"""The overview with its pages of tables, as files in a folder or as artifacts of a run."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from mlflow import MlflowClient

from contract.errors import FourcycleError
from contract.settings import Settings
from contract.store.tables import Tables
from pipelines.data.catalogue.known import KnownUseCase
from pipelines.data.catalogue.page import datasets_page
from pipelines.scheduling.overview.page import DATASETS, OVERVIEW, page
from pipelines.scheduling.overview.reading import standings, tables_answering
from pipelines.scheduling.overview.standing import UseCaseStanding

Found = dict[str, tuple[KnownUseCase, UseCaseStanding]]


def write(file: Path, settings: Settings, client: MlflowClient | None, found: Found) -> None:
    """Write the page to a file, and those of the tables into a folder beside it."""
    now = datetime.now(UTC)
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = [standing for _, standing in found.values()]
    file.write_text(page(shown, now, settings.ui_url, datasets=True), encoding="utf-8")
    folder = file.parent / DATASETS
    for name, (known, standing) in found.items():
        if standing.tables and client is not None:
            folder.mkdir(exist_ok=True)
            tables = Tables(settings.table_root, name)
            with tables_answering(settings):
                made = datasets_page(known, tables, standing.tables, client, now, f"../{file.name}")
            (folder / f"{name}.html").write_text(made, encoding="utf-8")


def log(settings: Settings, client: MlflowClient, run_id: str) -> str:
    """Put the overview among a run's artifacts; why not, where it can't be made. No error."""
    try:
        found = standings(settings, client, datetime.now(UTC))
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / OVERVIEW, settings, client, found)
            client.log_artifacts(run_id, folder)
    except FourcycleError as error:  # the work of the run is done all the same
        return str(error)
    return ""
