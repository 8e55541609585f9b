"""The overview with its pages of tables, as files, or the one as an artifact of a run."""

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from urllib.parse import quote

from mlflow import MlflowClient

from contract.errors import FourcycleError
from contract.names import Cycle, experiment
from contract.settings import Settings
from contract.store.tables import Tables
from pipelines.data.catalogue.known import KnownUseCase
from pipelines.data.catalogue.page import datasets_page
from pipelines.runtime.console import console
from pipelines.scheduling.overview.page import DATASETS, OVERVIEW, page
from pipelines.scheduling.overview.reading import standings, tables_answering
from pipelines.scheduling.overview.standing import UseCaseStanding

Found = dict[str, tuple[KnownUseCase, UseCaseStanding]]


def write(file: Path, settings: Settings, client: MlflowClient | None, found: Found) -> None:
    """Write the page to a file, and those of the tables into a folder beside it."""
    now = datetime.now(UTC)
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = [standing for _, standing in found.values()]
    file.write_text(page(shown, now, settings.ui_address, datasets=True), encoding="utf-8")
    folder = file.parent / DATASETS
    for name, (known, standing) in found.items():
        if standing.tables and client is not None:
            folder.mkdir(exist_ok=True)
            tables = Tables(settings.table_root, name)
            with tables_answering(settings):
                made = datasets_page(
                    known, tables, standing.tables, client, now, f"../{quote(file.name)}"
                )
            (folder / f"{name}.html").write_text(made, encoding="utf-8")


def log(settings: Settings, client: MlflowClient, use_case: str) -> str:
    """Put the overview among the artifacts of the use case's newest run; its id, or "" for none.

    Pages of tables are left out, for they read all tables. What can't be read is no error: the work
    of that run is done.
    """
    try:
        found = standings(settings, client, datetime.now(UTC))
        run_id = _newest_run(client, use_case)
        if run_id:
            shown = [standing for _, standing in found.values()]
            made = page(shown, datetime.now(UTC), settings.ui_address, datasets=False)
            client.log_text(run_id, made, OVERVIEW)
    except FourcycleError as error:
        console().print(f"  the overview could not be made: {error}", markup=False)
        return ""
    return run_id


def _newest_run(client: MlflowClient, use_case: str) -> str:
    """The run that ended last: of a pipeline its own, which ends after those of its steps."""
    cycles = (client.get_experiment_by_name(experiment(use_case, c)) for c in get_args(Cycle))
    places = [cycle.experiment_id for cycle in cycles if cycle is not None]
    order = ["attributes.end_time DESC"]
    ended = "attributes.status = 'FINISHED'"
    runs = client.search_runs(places, ended, max_results=1, order_by=order) if places else []
    return str(runs[0].info.run_id) if runs else ""
