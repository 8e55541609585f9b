"""Split: freeze a training table and a holdout, the newest labelled slice; no row is in both."""

from collections.abc import Sequence

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import Refused
from contract.names import ROW_HASH, ROW_KEY
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.store.rows.row_keys import cell_hashes
from contract.store.tables import Tables, TableVersion
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.split import GroupSplit, RandomSplit, TimeSplit
from pipelines.data.days import (
    HoldoutUntilOption,
    TrainFromOption,
    TrainUntilOption,
    local_midnight,
    with_windows,
)
from pipelines.data.raw_table import valid_as_written
from pipelines.data.validated import Validated
from pipelines.runtime import cli
from pipelines.runtime.console import count, working
from pipelines.runtime.run_inputs import log_input
from pipelines.runtime.step import Done, Result, Step, execute, latest_run, load_result
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.validate import STEP as VALIDATE

Mask = npt.NDArray[np.bool_]  # (n_rows,)


class SplitMade(Result):
    """The frozen tables."""

    training: TableVersion
    holdout: TableVersion
    rows_unlabelled: int
    rows_outside: int  # labelled, but outside both windows

    def line(self) -> str:
        return (
            f"{count(self.training.rows)} training rows (version {self.training.version}), "
            f"{count(self.holdout.rows)} holdout rows (version {self.holdout.version}); "
            f"{count(self.rows_outside)} outside the windows, "
            f"{count(self.rows_unlabelled)} without a label"
        )

    def tables(self) -> tuple[TableVersion, ...]:
        return (self.training, self.holdout)


STEP = Step(
    "split",
    SplitMade,
    ("columns", "keys", "target", "event_time", "time_zone", "split", "source.late_duplicates"),
)


def split(
    workspace: Workspace, validated: Validated, among: Sequence[TableVersion] = ()
) -> Done[SplitMade]:
    """Divide the valid labelled rows as the use case declares.

    With `among`, those rows alone whose key stands in one of these tables.
    """
    inputs = {
        "raw": validated.raw.content_hash,
        "quarantine": validated.quarantine.content_hash,
        **{f"among_{table.table}": table.content_hash for table in among},
    }
    declared = workspace.use_case.split.model_dump(mode="json", exclude_none=True)
    parameters = {f"split_{key}": value for key, value in declared.items()}
    return execute(workspace, STEP, lambda: _split(workspace, validated, among), inputs, parameters)


def _split(workspace: Workspace, validated: Validated, among: Sequence[TableVersion]) -> SplitMade:
    use_case, tables = workspace.use_case, workspace.tables
    with working("reading the valid rows"):
        rows = valid_as_written(tables, use_case, validated.raw, validated.quarantine)
    if among:
        rows = _of_keys(rows, tables, use_case, among)
    n_unlabelled = rows.column(use_case.target).null_count
    labelled = rows.filter(pc.is_valid(rows.column(use_case.target))) if n_unlabelled else rows
    del rows  # with a large table one copy in memory is enough
    training, holdout = divide(labelled, use_case)
    for name, mask in (("training", training), ("holdout", holdout)):
        if not mask.any():
            raise Refused(f"The split leaves no {name} rows of {labelled.num_rows} labelled ones.")
    made = SplitMade(
        training=_publish(tables, "training", labelled, training),
        holdout=_publish(tables, "holdout", labelled, holdout),
        rows_unlabelled=n_unlabelled,
        rows_outside=int((~training & ~holdout).sum()),
    )
    mlflow.log_metrics({"rows_training": made.training.rows, "rows_holdout": made.holdout.rows})
    log_input(tables, made.holdout, "holdout")
    log_input(tables, made.training, "training")
    return made


def _of_keys(
    rows: pa.Table, tables: Tables, use_case: UseCase, among: Sequence[TableVersion]
) -> pa.Table:
    keys = list(use_case.row_keys)
    hashes = [row_hashes(tables.read(t.table, t.version, columns=keys)) for t in among]
    wanted = np.isin(row_hashes(rows.select(keys)), np.concatenate(hashes))
    return rows.filter(pa.array(wanted))


def divide(rows: pa.Table, use_case: UseCase) -> tuple[Mask, Mask]:
    """Which labelled rows are for training and which for the holdout, both (n_rows,)."""
    match use_case.split:
        case TimeSplit() as how:
            return _by_time(rows, use_case, how)
        case GroupSplit() as how:
            return _by_group(rows, how)
        case RandomSplit() as how:
            return _at_random(rows, use_case, how)


def _by_time(rows: pa.Table, use_case: UseCase, how: TimeSplit) -> tuple[Mask, Mask]:
    times = rows.column(str(use_case.event_time)).to_pandas()
    in_window = np.ones(len(times), dtype=bool)
    if how.train_from:
        in_window &= (times >= local_midnight(how.train_from, use_case.time_zone)).to_numpy()
    if how.holdout_until:
        in_window &= (times < local_midnight(how.holdout_until, use_case.time_zone)).to_numpy()
    if how.train_until:
        border = pd.Timestamp(local_midnight(how.train_until, use_case.time_zone))
    else:
        border = times[in_window].quantile(1 - how.holdout_share, interpolation="nearest")
    before = (times < border).to_numpy()
    return in_window & before, in_window & ~before


def _by_group(rows: pa.Table, how: GroupSplit) -> tuple[Mask, Mask]:
    groups = rows.column(how.column)
    names = groups.unique().drop_null()
    if len(names) < 2:
        raise Refused(f"split.column {how.column!r} has {len(names)} group; two are needed.")
    drawn = _drawn(pa.table({"group": names}), how.seed)
    held = drawn < how.holdout_share
    # Of few groups none may be drawn, or all.
    held[drawn.argmin()], held[drawn.argmax()] = True, False
    holdout = pc.is_in(groups, names.filter(pa.array(held))).to_numpy()
    return ~holdout & groups.is_valid().to_numpy(), holdout


def _at_random(rows: pa.Table, use_case: UseCase, how: RandomSplit) -> tuple[Mask, Mask]:
    if use_case.keys:
        drawn_by = rows.select(use_case.keys)
    else:
        # Not by the label: of few different inputs a whole cell would be learned with one label
        # and be measured with the other.
        drawn_by = pa.table({ROW_KEY: cell_hashes(rows.drop_columns([use_case.target]))})
    holdout = _drawn(drawn_by, how.seed) < how.holdout_share
    return ~holdout, holdout


def _drawn(keys: pa.Table, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each row, (n_rows,), drawn by its key alone.

    So a row stays on its side when others arrive, and the holdout of a later version holds no row
    that an earlier one was trained on.
    """
    salted = keys.append_column("", pa.repeat(pa.scalar(seed, pa.int64()), keys.num_rows))
    return row_hashes(salted).view(np.uint64) / 2.0**64


def _publish(tables: Tables, name: str, rows: pa.Table, mask: Mask) -> TableVersion:
    chosen = rows.filter(pa.array(mask))
    total = content_hash(chosen.column(ROW_HASH).to_numpy())
    return tables.publish("training" if name == "training" else "holdout", chosen, total)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    validate: cli.RunOption = "",
    train_from: TrainFromOption = "",
    train_until: TrainUntilOption = "",
    holdout_until: HoldoutUntilOption = "",
) -> None:
    """Split: freeze the training table and the holdout."""
    declared = with_windows(load_use_case(use_case), train_from, train_until, holdout_until)
    with open_workspace(declared, root) as workspace:
        run_id = latest_run(workspace, VALIDATE, validate)
        split(workspace, load_result(workspace, VALIDATE, run_id))


if __name__ == "__main__":
    cli.run(main)
