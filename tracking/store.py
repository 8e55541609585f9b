"""A client of the tracking store and the registry, and the experiments in it.

Several processes of ours may be the first that meet a store; each finds it as if it were alone.
"""

import os

import mlflow
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Experiment, LifecycleStage, Run

from contract.addresses import DATABASES, SERVERS, SQLITE, scheme_of, sqlite_file
from contract.markdown import link, plain
from contract.settings import Settings
from contract.start import keep_imported
from contract.store.locks import store_lock
from tracking.database import ask_database, ask_sqlite, await_database
from tracking.locations import ARTIFACTS, check_location
from tracking.server import await_server, did_not_answer
from tracking.tags import KIND_TAG, NOTE_TAG, spellings
from tracking.who import actor_of, is_denied

# Without the kind, the user interface opens an experiment in its view for language models.
KIND = "custom_model_development"
# A page shows the first two lines until it is asked for more.
NOTES = {
    "training": "What is live: {model}. One tree of runs for each pipeline: `main` and, below it, "
    "its steps from data to gate. **Start** with the newest `main`: it names its data, figures and "
    "version, and why that was promoted or not.",
    "releases": "What is live: {model}. One run for each move of a version: registered, promoted, "
    "rejected, rolled back; who moved it, and why. **Start** with the newest.",
    "monitoring": "What is live: {model}. One run for each window of production, named by its "
    "verdict. **Start** with the newest, description first, then `verdict.html`. The `timeline` of "
    "a version draws its figures over all windows.",
}
# What the stores answer for a model, a version or an alias that is not there.
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
EXISTS = "RESOURCE_ALREADY_EXISTS"
AWAY = "TEMPORARILY_UNAVAILABLE"


def connect(settings: Settings) -> MlflowClient:
    """A client of the store, which is waited for if it is away.

    Unavailable where it stays away for `store_wait_s`, BadInput where it is a server that does not
    take the credentials.
    """
    scheme, wait_s = scheme_of(settings.store_uri), settings.store_wait_s
    if scheme in DATABASES:
        await_database(settings.store_uri, wait_s)
    client = client_of(settings)
    if scheme in SERVERS:
        await_server(client, settings.store_uri, wait_s)
        actor_of(settings)
    keep_imported()  # with a client all that is slow to import is there
    return client


def look(settings: Settings) -> None:
    """Ask the store once, and make nothing; Unavailable where it does not answer."""
    scheme = scheme_of(settings.store_uri)
    if scheme in DATABASES:
        ask_database(settings.store_uri)
    if scheme in SERVERS:
        await_server(client_of(settings), settings.store_uri, wait_s=0)


def client_of(settings: Settings) -> MlflowClient:
    """A client of the store, and MLflow's own defaults set to it: artifacts go by those.

    The first client that is built makes the tables of a new database; two at once break it. An
    error of ours where another release has made it.
    """
    uri = settings.store_uri
    if uri.startswith(SQLITE):
        ask_sqlite(sqlite_file(uri))
    # Else a server's client prints links between the lines of what is asked for as JSON.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        with store_lock(settings):
            return MlflowClient(uri, uri)
    except MlflowException as error:
        from tracking.schema import schema_trouble

        raise schema_trouble(error) or error from error


def is_absent(error: MlflowException) -> bool:
    """Whether the store answered that what was asked for is not there."""
    return error.error_code in ABSENT


def is_there(error: MlflowException) -> bool:
    """Whether the store answered that what was to be made is there already."""
    return bool(error.error_code == EXISTS)


def is_away(error: BaseException) -> bool:
    """Whether the store did not answer and may do so later."""
    return isinstance(error, MlflowException) and (
        error.error_code == AWAY or did_not_answer(error)
    )


def search_tagged(
    client: MlflowClient,
    experiment_ids: list[str],
    tag: str,
    value: str,
    others: str,
    max_results: int = 1000,
) -> list[Run]:
    """Runs with this tag for programs, whatever release wrote it, the newest first; `others` is
    the rest of the filter."""
    for name in spellings(tag):
        wanted = f"{others} and tags.`{name}` = '{value}'"
        if runs := client.search_runs(experiment_ids, wanted, max_results=max_results):
            return list(runs)
    return []


def holds_files(address: str) -> bool:
    """Whether anything lies at an address of artifacts, be it `runs:/...` or where they are."""
    try:
        return bool(mlflow.artifacts.list_artifacts(artifact_uri=address))
    except MlflowException as error:
        if is_absent(error):
            return False
        raise


def experiment(client: MlflowClient, settings: Settings, name: str) -> str:
    """Id of the experiment, created on first use; a deleted one is brought back.

    BadInput where its artifacts would go into the folder of another store.
    """
    entity = client.get_experiment_by_name(name) or _created(client, settings, name)
    check_location(entity.artifact_location, settings)
    if entity.lifecycle_stage == LifecycleStage.DELETED:
        _restore(client, entity.experiment_id)
    # `mlflow run --experiment-name` makes it without them, and so did older releases.
    for tag, text in introduction(name).items():
        if tag not in entity.tags:
            _introduce(client, entity.experiment_id, tag, text)
    return str(entity.experiment_id)


def introduction(name: str) -> dict[str, str]:
    """Tags of a new experiment: its view, and what a person who opens it should know."""
    use_case, _, cycle = name.rpartition("/")
    note = NOTES.get(cycle, "").format(model=link(f"model {plain(use_case)}", f"models/{use_case}"))
    return {KIND_TAG: KIND} | ({NOTE_TAG: note} if note else {})


def _introduce(client: MlflowClient, experiment_id: str, tag: str, text: str) -> None:
    try:
        client.set_experiment_tag(experiment_id, tag, text)
    except MlflowException as error:
        if not is_denied(error):  # who may only read leaves it to others
            raise


def _created(client: MlflowClient, settings: Settings, name: str) -> Experiment:
    artifacts = None
    if settings.store_uri.startswith(SQLITE):
        artifacts = (settings.home / ARTIFACTS / name.replace("/", "-")).as_uri()
    try:
        made = client.create_experiment(name, artifact_location=artifacts, tags=introduction(name))
    except MlflowException as error:
        existing = client.get_experiment_by_name(name)
        if not is_there(error) or existing is None:
            raise
        return existing  # another process has made it since we looked
    return client.get_experiment(made)


def _restore(client: MlflowClient, experiment_id: str) -> None:
    try:
        client.restore_experiment(experiment_id)
    except MlflowException:
        if client.get_experiment(experiment_id).lifecycle_stage == LifecycleStage.DELETED:
            raise
        # Another process has brought it back since we looked.
