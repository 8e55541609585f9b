"""Collect: bring the rows of the source into the versioned table `raw`.

Idempotent by content: rows that are there already are not written again, so the same delivery
makes no new version. A delivery whose columns or types are not the declared ones never enters.
"""

import mlflow
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput
from contract.names import DELIVERY, ROW_HASH, ROW_NUMBER
from contract.store.rows.fingerprint import RowHashes, content_hash, row_hashes
from contract.store.rows.row_keys import named
from contract.store.schema import conform
from contract.store.tables import BROUGHT, COLLECTED, CONTENT_HASH, Tables, TableVersion
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.data.delivery import refusal_told, refuse_delivery
from pipelines.data.raw_table import known_rows, last_delivery, late_duplicates, raw_schema
from pipelines.data.rehearsal import (
    Rehearsal,
    RowsMultipleOption,
    SampleOption,
    read_rehearsal,
    rehearse,
)
from pipelines.runtime import cli
from pipelines.runtime.console import console, count, working
from pipelines.runtime.run_inputs import log_input
from pipelines.runtime.step import Done, Result, Step, execute, latest_run, load_result
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.sources.newer import newest, noted, read_note
from pipelines.sources.registry import read_source


class Ingested(Result):
    """What one look at the source brought."""

    raw: TableVersion
    rows_read: int
    rows_new: int
    rows_late_duplicate: int
    rows_equal: int = 0  # equal to an earlier one of this reading and kept: there are no keys
    rows_repeated: int = 0  # given more than once in this delivery, the first of each not counted
    collected: bool = True  # from the source, and not from labelled answers
    read_until: str = ""  # the newest of what `source.since` names; "" where all is read again

    def line(self) -> str:
        read = f"{count(self.rows_read)} rows read"
        if self.rows_repeated:
            read += f", {count(self.rows_repeated)} of them given twice and dropped"
        if self.rows_equal:
            read += f", {count(self.rows_equal)} of them equal to another and kept"
        if not self.rows_new:
            return f"{read}, nothing new: raw stays version {self.raw.version}"
        late = f", {count(self.rows_late_duplicate)} of a known key" * bool(
            self.rows_late_duplicate
        )
        return f"{read}, {count(self.rows_new)} new{late} → raw version {self.raw.version}"

    def tables(self) -> tuple[TableVersion, ...]:
        return (self.raw,)

    def reaching(self, until: str) -> "Ingested":
        """The same, with the mark up to which the source has been read."""
        return self.model_copy(update={"read_until": until})


# Never reused: only a look at the source tells whether it has something new.
STEP = Step("ingest", Ingested, cached=False)


def ingest(workspace: Workspace, rehearsal: Rehearsal) -> Done[Ingested]:
    """Read the source and append what is new."""
    parameters = {"sample": rehearsal.sample, "rows_multiple": rehearsal.rows_multiple}
    return execute(workspace, STEP, lambda: _ingest(workspace, rehearsal), parameters=parameters)


def ingest_labelled(workspace: Workspace, labelled: TableVersion) -> Done[Ingested]:
    """Append labelled answers, a version of the table `labelled`, as far as they are new.

    Where the use case says that a known key stands (`late_duplicates: quarantine`), rows of known
    keys are left out here: only a source that repeats its keys is a matter for quarantine.
    """

    def work() -> Ingested:
        until = _read_until(workspace)  # labelled answers move no mark of the source
        return _ingest_labelled(workspace, labelled).reaching(until)

    return execute(workspace, STEP, work, parameters={"labelled": labelled.version})


def _ingest_labelled(workspace: Workspace, labelled: TableVersion) -> Ingested:
    use_case, tables = workspace.use_case, workspace.tables
    rows = tables.read("labelled", labelled.version, columns=list(use_case.columns))
    if use_case.source.late_duplicates == "replace" or not use_case.keys:
        return _take_in(workspace, rows, rows.num_rows, collected=False)
    keys = list(use_case.keys)
    raw = tables.read("raw", columns=[*keys, ROW_HASH])
    is_known = np.isin(row_hashes(rows.select(keys)), row_hashes(raw.select(keys)))
    same = np.isin(row_hashes(rows), raw.column(ROW_HASH).to_numpy())
    if differ := int((is_known & ~same).sum()):
        mlflow.log_metric("rows_differ", differ)
        console().print(f"  {count(differ)} answered rows have other values in raw, which are kept")
    unknown = rows.filter(pa.array(~is_known))
    return _take_in(workspace, unknown, rows.num_rows, collected=False)


def _ingest(workspace: Workspace, rehearsal: Rehearsal) -> Ingested:
    use_case = workspace.use_case
    before = _read_until(workspace) if rehearsal == Rehearsal() else ""
    newer = read_note(use_case, before)
    with refusal_told(workspace):
        with working(f"reading the {use_case.source.kind} source"):
            delivered = rehearse(read_source(use_case, newer), use_case, rehearsal)
        conformed = conform(delivered, use_case)
        if not conformed.complete or not (delivered.num_rows or newer):
            refuse_delivery(use_case, conformed)
    since, n_read = use_case.source.since, delivered.num_rows
    until = (noted(use_case, newest(delivered, since)) if since and n_read else "") or before
    del delivered  # its columns would stand in memory beside those of the declared types
    return _take_in(workspace, conformed.table, n_read).reaching(until)


def _read_until(workspace: Workspace) -> str:
    """What the last ingest noted, where `raw` still is what it left; "" for a whole reading."""
    tables = workspace.tables
    try:
        last = load_result(workspace, STEP, latest_run(workspace, STEP))
    except BadInput:
        return ""
    same = tables.exists("raw") and (
        tables.metadata("raw").get(CONTENT_HASH) == last.raw.content_hash
        and tables.schema("raw").equals(raw_schema(workspace.use_case))
    )
    return last.read_until if same else ""


def _take_in(workspace: Workspace, rows: pa.Table, n_read: int, collected: bool = True) -> Ingested:
    """Append the rows that `raw` does not hold, each once, as one delivery."""
    use_case, tables = workspace.use_case, workspace.tables
    rows = named(rows, use_case)
    hashes = row_hashes(rows)
    first = np.zeros(len(hashes), dtype=bool)
    first[np.unique(hashes, return_index=True)[1]] = True
    earlier = _known(workspace)
    new = first & ~np.isin(hashes, earlier.column(ROW_HASH).to_numpy())
    raw = _append(tables, _only(rows, new), hashes[new], earlier, collected)
    last = last_delivery(earlier)
    ingested = Ingested(
        raw=raw,
        rows_read=n_read,
        rows_new=int(new.sum()),
        rows_late_duplicate=late_duplicates(tables, use_case, raw.version, last).num_rows,
        rows_equal=_repeats(rows, use_case),
        rows_repeated=int((~first).sum()),
        collected=collected,
    )
    figures = ("rows_read", "rows_new", "rows_repeated")
    mlflow.log_metrics({name: getattr(ingested, name) for name in figures})
    log_input(tables, raw, "raw")
    return ingested


def _repeats(rows: pa.Table, use_case: UseCase) -> int:
    return 0 if use_case.keys else int(pc.sum(pc.greater(rows.column(ROW_NUMBER), 1)).as_py() or 0)


def _only(rows: pa.Table, chosen: npt.NDArray[np.bool_]) -> pa.Table:
    """The chosen rows; all of them are the table itself, for a filter copies."""
    return rows if chosen.all() else rows.filter(pa.array(chosen))


def _known(workspace: Workspace) -> pa.Table:
    """Hash and delivery of the rows that new ones are compared with.

    None where the use case declares other columns than those of `raw`: it begins anew with what
    the source holds now, for rows of two declarations can't be told apart by their hashes.
    """
    tables, schema = workspace.tables, raw_schema(workspace.use_case)
    tables.create("raw", schema)
    if tables.schema("raw").equals(schema):
        return known_rows(tables)
    console().print(
        "  the declared columns have changed: raw begins anew with what the source holds; "
        f"earlier rows stay readable as version {tables.version('raw')}"
    )
    none = schema.empty_table()
    tables.overwrite("raw", none, **{CONTENT_HASH: content_hash(row_hashes(none))})
    return none.select([ROW_HASH, DELIVERY])


def _append(
    tables: Tables, rows: pa.Table, hashes: RowHashes, earlier: pa.Table, collected: bool
) -> TableVersion:
    total = content_hash(np.concatenate([earlier.column(ROW_HASH).to_numpy(), hashes]))
    n_rows = earlier.num_rows + rows.num_rows
    if not rows.num_rows:
        return TableVersion("raw", tables.version("raw"), n_rows, total)
    delivery = last_delivery(earlier) + 1
    rows = rows.append_column(ROW_HASH, pa.array(hashes))
    rows = rows.append_column(DELIVERY, pa.repeat(pa.scalar(delivery, pa.int64()), rows.num_rows))
    brought = {BROUGHT: str(delivery), COLLECTED: "yes" if collected else "no"}
    version = tables.append("raw", rows, **{CONTENT_HASH: total, **brought})
    return TableVersion("raw", version, n_rows, total)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    sample: SampleOption = "",
    rows_multiple: RowsMultipleOption = "",
) -> None:
    """Ingest: read the source and append new rows to the table raw."""
    rehearsal = read_rehearsal(sample, rows_multiple)
    with open_workspace(rehearsal.of(load_use_case(use_case)), root) as workspace:
        ingest(workspace, rehearsal)


if __name__ == "__main__":
    cli.run(main)
