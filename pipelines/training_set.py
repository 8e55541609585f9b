"""Training set: logged answers whose labels are known, as a version of the table `labelled`.

Its rows have the columns of the use case, so it enters like any other data: as the source of an
ingest. A row that was asked several times stands once, as it was asked last.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contract.errors import Refused
from contract.names import ROW_HASH
from contract.store.rows.fingerprint import RowHashes, content_hash, row_hashes
from contract.store.schema import arrow_schema
from contract.store.tables import CONTENT_HASH, Tables, TableVersion
from pipelines.data.labelled_rows import named_sql, rows_sql
from pipelines.data.traffic import FromOption, ToOption, Traffic, read_traffic
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary, working
from pipelines.runtime.run_inputs import log_input
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_workspace
from tracking.tags import table_version_tag


class TrainingSet(Result):
    """The table version, and what of the window is not in it."""

    labelled: TableVersion
    window: str
    rows_answered: int
    rows_unlabelled: int
    rows_nameless: int  # labelled, but the caller sent no keys
    rows_repeated: int  # labelled, and asked again later

    def line(self) -> str:
        return (
            f"{count(self.labelled.rows)} labelled rows of {count(self.rows_answered)} answered "
            f"({self.window}) → labelled version {self.labelled.version}"
        )


# Never reused: labels arrive late, so only a look tells whether there are new ones.
STEP = Step("training_set", TrainingSet, cached=False)


def training_set(
    workspace: Workspace,
    first: str,
    last: str,
    true_by: datetime | None = None,
    versions: Mapping[str, int] | None = None,
) -> Done[TrainingSet]:
    """Publish the labelled rows of the days [first, last); the same rows make no new version.

    With `true_by`, by the labels that were known by then; of `versions` of the tables, else the
    newest.
    """
    given = {"from": first, "to": last} | ({"true_by": true_by.isoformat()} if true_by else {})

    def work() -> TrainingSet:
        tables, use_case = workspace.tables, workspace.use_case
        return _training_set(
            workspace, read_traffic(tables, use_case, first, last, true_by, versions)
        )

    return execute(workspace, STEP, work, parameters=given)


def _training_set(workspace: Workspace, traffic: Traffic) -> TrainingSet:
    use_case, tables = workspace.use_case, workspace.tables
    counts = traffic.ask(
        tables,
        "count(*) AS answered, count(l.label) AS labelled, "
        f"count(l.label) FILTER (WHERE NOT ({named_sql(use_case)})) AS nameless",
    )
    if not counts["labelled"]:
        raise Refused(
            f"None of {counts['answered']:,} answers ({traffic.window.title}) is labelled."
        )
    sql = rows_sql(traffic, use_case)
    with working(f"joining {counts['labelled']:,} labels"), TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        hashes = _collect(workspace, traffic, sql, path)
        if not len(hashes):
            raise Refused(f"No labelled answer ({traffic.window.title}) was asked with its keys.")
        published = _publish(workspace.tables, path, content_hash(hashes), len(hashes))
    log_input(tables, published, "labelled")
    mlflow.set_tags({table_version_tag(name): str(v) for name, v in traffic.versions.items()})
    mlflow.log_metrics({"rows_labelled": published.rows, "rows_answered": counts["answered"]})
    return TrainingSet(
        labelled=published,
        window=traffic.window.title,
        rows_answered=counts["answered"],
        rows_unlabelled=counts["answered"] - counts["labelled"],
        rows_nameless=counts["nameless"],
        rows_repeated=counts["labelled"] - counts["nameless"] - published.rows,
    )


def _collect(workspace: Workspace, traffic: Traffic, sql: str, path: Path) -> RowHashes:
    """Bring the rows into a file, part by part; their hashes, (n_rows,).

    The hash of all goes into the table's commit, so it must be known before the first row is
    written there; and a query can't run inside of deltalake's writer.
    """
    schema = arrow_schema(workspace.use_case)
    hashes = [np.empty(0, dtype=np.int64)]
    with pq.ParquetWriter(path, schema.append(pa.field(ROW_HASH, pa.int64()))) as writer:
        for part in traffic.stream(workspace.tables, sql):
            rows = part.cast(schema)
            hashes.append(row_hashes(rows))
            writer.write_table(rows.append_column(ROW_HASH, pa.array(hashes[-1])))
    return np.concatenate(hashes)


def _publish(tables: Tables, path: Path, total: str, n_rows: int) -> TableVersion:
    if tables.exists("labelled") and tables.metadata("labelled").get(CONTENT_HASH) == total:
        return TableVersion("labelled", tables.version("labelled"), n_rows, total)
    with pq.ParquetFile(path, pre_buffer=False) as file:  # else all of it is kept
        reader = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
        version = tables.overwrite("labelled", reader, **{CONTENT_HASH: total})
    return TableVersion("labelled", version, n_rows, total)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    from_: FromOption = "",
    to: ToOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Training set: answers whose labels are known, as a table version to train on."""
    with open_workspace(use_case, root, "monitoring") as workspace:
        made = training_set(workspace, from_, to).result
        where = workspace.tables.uri("labelled")
    if cli.flag(as_json):
        print(json.dumps(made.model_dump() | {"uri": where}, indent=2))
    facts = {name: count(value) for name, value in made.model_dump().items() if "rows_" in name}
    version = f"{made.labelled.version}, {count(made.labelled.rows)} rows"
    source = f"source: {{delta: {{path: {where}, version: {made.labelled.version}}}}}"
    summary(
        "Training set",
        {"window": made.window, "labelled version": version, "use it": source} | facts,
        {},
    )


if __name__ == "__main__":
    cli.run(main)
