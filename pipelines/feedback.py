"""Feedback: bring labels that another system kept into the table `feedback`.

Rows name their prediction by its id, or the row of data by the use case's keys. The same import
again changes nothing; a label that contradicts an earlier one is kept as its correction; rows that
do not fit are set apart in `feedback_quarantine` with the reason.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import typer

from contract.names import TableName
from contract.store.labels import PendingLabels, pending
from contract.store.rows.fingerprint import RowHashes, row_hashes
from contract.store.schema import fit_to_schema, widened
from contract.store.tables import Tables
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.data.label_rows import LabelRows, read_labels, refusal_rows, statements
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary, working
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_workspace

SourceOption = Annotated[
    str, typer.Option(help="A .csv or .parquet file, a Delta table, or a database with --query.")
]
QueryOption = Annotated[str, typer.Option(help="SQL that gives the rows of a database.")]


class FeedbackImported(Result):
    """What one import brought, and what waits for its prediction since."""

    rows_read: int
    rows_new: int  # the first label of their row or prediction
    rows_corrected: int  # another label than the one before
    rows_repeated: int
    rows_quarantined: int
    pending: int
    overdue: int

    def line(self) -> str:
        return (
            f"{count(self.rows_read)} labels read: {count(self.rows_new)} new, "
            f"{count(self.rows_corrected)} corrected, {count(self.rows_repeated)} repeated, "
            f"{count(self.rows_quarantined)} quarantined; {count(self.pending)} wait for their "
            f"prediction, {count(self.overdue)} of them overdue"
        )


# What a quarantined row says beside itself; rows of older releases have no line.
BESIDE = ["received_time", "line"]
# Never reused: only a look at the source tells whether it has something new.
STEP = Step("feedback", FeedbackImported, cached=False)


def feedback(workspace: Workspace, source: str, query: str = "") -> Done[FeedbackImported]:
    """Import the labels of a source."""
    return execute(workspace, STEP, lambda: _feedback(workspace, source, query, datetime.now(UTC)))


def waiting(workspace: Workspace, now: datetime) -> PendingLabels:
    """Feedback whose prediction is not known, and how much of it is overdue."""
    deadline = now - timedelta(hours=workspace.settings.feedback_deadline_h)
    return pending(workspace.tables, workspace.use_case.keys, deadline)


def _feedback(workspace: Workspace, source: str, query: str, now: datetime) -> FeedbackImported:
    use_case, tables = workspace.use_case, workspace.tables
    pseudonymiser = Pseudonymiser.of(use_case, workspace.settings.log_secret.get_secret_value())
    with working("reading the labels"):
        read = read_labels(source, query, use_case)
    found = statements(read.rows, use_case, pseudonymiser, now)
    refused = read.placed(found.refused)
    sorted_out = sort_out(found, tables)
    add(tables, "feedback", found.rows.filter(pa.array(sorted_out != "repeated")))
    # A database's address may hold a password.
    where = "database" if query else source
    _quarantine(tables, refusal_rows(refused, where, use_case, pseudonymiser, now))
    left = waiting(workspace, now)
    fed = FeedbackImported(
        rows_read=read.rows.num_rows + len(read.broken),
        rows_new=int((sorted_out == "new").sum()),
        rows_corrected=int((sorted_out == "corrected").sum()),
        rows_repeated=int(np.isin(sorted_out, ["repeated", "confirmed"]).sum()),
        rows_quarantined=len(refused),
        pending=left.pending,
        overdue=left.overdue,
    )
    mlflow.log_metrics(fed.model_dump())
    return fed


def sort_out(
    statement_rows: LabelRows, tables: Tables
) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """What each statement is, (n_rows,): new, corrected, confirmed or repeated.

    A repeated one equals an earlier statement in every column; without a time of its own, it
    repeats any equal label of its subject. A confirmed one gives the same label at another time and
    is kept: a label of the time between may come yet.
    """
    rows = statement_rows.rows
    earlier = rows.slice(0, 0)
    if tables.exists("feedback"):
        table = tables.read("feedback")
        names = [name for name in rows.column_names if name in table.column_names]
        earlier = fit_to_schema(table.select(names), rows.schema)
    both = pa.concat_tables([earlier, rows])
    frame = pd.DataFrame({"subject": _hashes(both, "label", "label_time")})
    frame["said"] = _hashes(both, "label_time")
    frame["statement"] = _hashes(both)
    timed = np.array([True] * earlier.num_rows + statement_rows.timed, dtype=bool)
    repeated = frame["statement"].duplicated() | (frame["said"].duplicated() & ~timed)
    kinds = np.select(
        [repeated, ~frame["subject"].duplicated(), ~frame["said"].duplicated()],
        ["repeated", "new", "corrected"],
        "confirmed",
    )
    return kinds[earlier.num_rows :]


def add(tables: Tables, name: TableName, rows: pa.Table) -> None:
    """Append rows in one commit, on the disk for good; columns that the table lacks are added."""
    if not rows.num_rows:
        return
    tables.create(name, rows.schema)
    intake = tables.intake(name)
    version = intake.append(fit_to_schema(rows, widened(intake.schema, rows.schema)), {})
    intake.settle([version])


def _hashes(rows: pa.Table, *without: str) -> RowHashes:
    return row_hashes(rows.drop_columns(["received_time", "key_id", *without]))


def _quarantine(tables: Tables, rows: pa.Table) -> None:
    """Set rows apart, unless the same row of the same source is there already."""
    if tables.exists("feedback_quarantine"):
        earlier = fit_to_schema(tables.read("feedback_quarantine"), rows.schema)
        hashes = row_hashes(earlier.drop_columns(BESIDE))
        fresh = ~np.isin(row_hashes(rows.drop_columns(BESIDE)), hashes)
        rows = rows.filter(pa.array(fresh))
    add(tables, "feedback_quarantine", rows)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    source: SourceOption = "",
    query: QueryOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Feedback: import labels from a file, a Delta table or a database."""
    with open_workspace(use_case, root, "monitoring") as workspace:
        fed = feedback(workspace, source, query).result
        oldest = waiting(workspace, datetime.now(UTC)).oldest
    if cli.flag(as_json):
        print(json.dumps(fed.model_dump(), indent=2))
    facts = {name.removeprefix("rows_"): count(value) for name, value in fed.model_dump().items()}
    if oldest:
        facts["waiting since"] = oldest.isoformat(timespec="seconds")
    summary("Feedback", facts, {})


if __name__ == "__main__":
    cli.run(main)
