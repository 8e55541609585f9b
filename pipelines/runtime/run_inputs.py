"""What steps write to MLflow beyond plain parameters, metrics and files."""

import mlflow
from mlflow import MlflowClient
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import LoggedModelOutput

from contract.store.tables import Tables, TableVersion
from tracking.tags import DATA_HASH_TAG, DATA_VERSION_TAG

DIGEST_LENGTH = 36  # MLflow's limit; the whole hash is the tag data_hash


def log_input(tables: Tables, table: TableVersion, context: str) -> None:
    """Record a table version as an input of the active run, so that the UI lists it.

    MLflow's own digest covers the first 10,000 rows only; ours covers all and takes its place.
    """
    source = DeltaDatasetSource(path=tables.uri(table.table), delta_table_version=table.version)
    dataset = MetaDataset(  # type: ignore[abstract]  # MLflow leaves a property undefined
        source,
        name=f"{tables.use_case}.{table.table}.v{table.version}",
        digest=table.content_hash[:DIGEST_LENGTH],
    )
    mlflow.log_input(dataset, context=context)
    mlflow.set_tags(
        {DATA_VERSION_TAG: f"{table.table}@{table.version}", DATA_HASH_TAG: table.content_hash}
    )


def log_model_of(client: MlflowClient, run_id: str, model_uri: str) -> None:
    """Record the model that a run made through another one, so that the UI lists it there too."""
    model_id = model_uri.removeprefix("models:/")
    if model_id != model_uri:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
