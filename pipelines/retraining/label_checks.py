"""What the labels of logged answers look like, window by window, before anything learns from them.

All counting is done over the tables; what comes back is a count for each quarter of an hour, label,
API key and table of the champion. Quarters add up to days in every time zone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from contract.store.labels import moment
from contract.store.sql import quoted
from contract.store.tables import Tables, TableVersion
from contract.use_case.model import UseCase
from contract.use_case.sections.split import TimeSplit
from monitoring.measures.bins import Cells, Counts, number_cells, word_cells
from monitoring.measures.distance import distance
from monitoring.windows.declared import period
from monitoring.windows.window import QUARTER, counting, literal
from pipelines.data.labelled_rows import named_sql, row_sql, rows_sql
from pipelines.data.traffic import Traffic, read_traffic
from pipelines.retraining.policy import LabelledAnswers, LabelledWindow, least_holdout


@dataclass(frozen=True)
class ChampionTables:
    """The tables of the champion: it has learned from the one and was measured on the other."""

    training: TableVersion
    holdout: TableVersion


def label_figures(
    tables: Tables, use_case: UseCase, champion: ChampionTables, now: datetime
) -> LabelledAnswers:
    """The labels known by `now` of the newest `retraining.window_days` days of answers."""
    last = _newest_day(tables, use_case, now)
    if last is None:
        today = now.astimezone(ZoneInfo(use_case.time_zone)).date()
        return LabelledAnswers(today, today, 0, None)
    end = last + timedelta(days=1)
    start = end - timedelta(days=use_case.retraining.window_days)
    traffic = read_traffic(tables, use_case, start.isoformat(), end.isoformat(), now)
    counts = _counts(tables, use_case, champion, traffic)
    labelled = counts[counts["label"].notna()]
    fresh, holdout = labelled[labelled["seen"].isna()], _holdout(counts, use_case)
    answers = LabelledAnswers(
        start, end, _to_train_on(fresh, holdout), holdout, read=traffic.versions
    )
    # Where a label may replace a known one, it teaches about rows that the champion has seen too.
    taught = labelled if use_case.source.late_duplicates == "replace" else fresh
    if taught.empty:
        return answers
    key_window, key, key_share = _loudest(taught, use_case)
    shifted, shift = _furthest(tables, use_case, champion, taught)
    answers = replace(answers, shift=shift, shifted=shifted)
    return replace(answers, key=key, key_share=key_share, key_window=key_window)


def _newest_day(tables: Tables, use_case: UseCase, now: datetime) -> date | None:
    if not tables.exists("predictions"):
        return None
    opened = tables.open("predictions")
    counted = " AND ".join(counting(opened, now))
    rows = tables.query(
        "SELECT max(p.event_time) AS newest FROM predictions p "  # noqa: S608, moments
        f"WHERE p.event_time < {moment(now)} AND {counted}",
        predictions=opened,
    )
    newest = rows.column("newest")[0].as_py()
    return newest.astimezone(ZoneInfo(use_case.time_zone)).date() if newest else None


def _counts(
    tables: Tables, use_case: UseCase, champion: ChampionTables, traffic: Traffic
) -> pd.DataFrame:
    """One row for each window, label (null: none), key_id and `seen`, with its number of rows `n`.

    A row that was asked several times counts once, with a label where one of the answers has one.
    """
    rows_sql(traffic, use_case)  # refuses a log that does not hold what rows need
    told = _told_by(use_case)
    named = {name: f"key{n}" for n, name in enumerate(told)}  # ours stand beside
    asked = "".join(f"{sql} AS {named[name]}, " for name, sql in told.items())
    answers = (
        f"SELECT {asked}{QUARTER} AS at, "
        f"l.label, l.key_id, row_number() OVER (PARTITION BY {row_sql(use_case)} "
        "ORDER BY l.label IS NULL, p.logged_time DESC, p.prediction_id DESC) AS nth "
        f"{traffic.source} AND {named_sql(use_case)}"
    )
    champion_rows = " UNION ALL ".join(
        f"SELECT {', '.join(f'{quoted(n)} AS {ours}' for n, ours in named.items())}, '{name}' AS seen "  # noqa: S608, E501
        f"FROM {name}"
        for name in ("training", "holdout")
    )
    each = ", ".join(named.values())
    champion_rows = f"SELECT {each}, max(seen) AS seen FROM ({champion_rows}) GROUP BY {each}"  # noqa: S608
    # In brackets: DataFusion reads all that follows FROM, an AND too, as what it compares with.
    same = " AND ".join(f"(a.{ours} IS NOT DISTINCT FROM k.{ours})" for ours in named.values())
    counts = tables.query(
        "SELECT at, label, key_id, seen, count(*) AS n "  # noqa: S608
        f"FROM ({answers}) a LEFT JOIN ({champion_rows}) k ON {same} "
        "WHERE nth = 1 GROUP BY 1, 2, 3, 4",
        **traffic.opened,
        training=tables.open("training", champion.training.version),
        holdout=tables.open("holdout", champion.holdout.version),
    )
    frame: pd.DataFrame = counts.to_pandas(integer_object_nulls=True)
    at = frame["at"] if frame["at"].dt.tz else frame["at"].dt.tz_localize("UTC")
    days = at.dt.tz_convert(use_case.time_zone).dt.date
    every = use_case.monitoring.every
    first = {day: period(day, every)[0] for day in days.unique()}
    return frame.assign(window=days.map(first))


def _told_by(use_case: UseCase) -> dict[str, str]:
    """Columns that say whether the champion knows the row of a prediction `p`, each as SQL of it:
    the keys, or without keys all inputs and the label."""
    if use_case.keys:
        return {key: f"p.{quoted(key)}" for key in use_case.keys}
    inputs = {name: f"p.inputs[{literal(name)}]" for name in use_case.inputs}
    return {**inputs, use_case.target: "l.label"}


def _holdout(counts: pd.DataFrame, use_case: UseCase) -> LabelledWindow | None:
    """The newest window with labels enough for monitoring and gate, that taught nothing yet."""
    if not isinstance(use_case.split, TimeSplit):
        return None
    policy = use_case.monitoring
    for start in sorted(counts["window"].unique(), reverse=True):
        rows = counts[counts["window"] == start]
        labelled = rows[rows["label"].notna()]
        n, answered = int(labelled["n"].sum()), int(rows["n"].sum())
        enough = n >= least_holdout(use_case)
        covered = n >= policy.min_label_coverage * answered
        if enough and covered and not (labelled["seen"] == "training").any():
            return LabelledWindow(*period(start, policy.every), n)
    return None


def _to_train_on(fresh: pd.DataFrame, holdout: LabelledWindow | None) -> int:
    """Rows that a retraining would learn from and that the champion has not seen."""
    before = fresh if holdout is None else fresh[fresh["window"] < holdout.start]
    return int(before["n"].sum())


def _loudest(taught: pd.DataFrame, use_case: UseCase) -> tuple[str, str, float]:
    """The window in which one API key gave the largest share of the labels; key and share."""
    shares = {name: _share(rows) for name, rows in _judged(taught, use_case)}
    name = max(shares, key=lambda n: shares[n][1])
    return name, *shares[name]


def _share(labelled: pd.DataFrame) -> tuple[str, float]:
    """The API key that gave most of the labels, and its share of all."""
    of_keys = labelled.groupby("key_id")["n"].sum()
    if of_keys.empty:  # imported, or no keys are configured
        return "", 0.0
    return str(of_keys.idxmax()), float(of_keys.max() / labelled["n"].sum())


def _furthest(
    tables: Tables, use_case: UseCase, champion: ChampionTables, taught: pd.DataFrame
) -> tuple[str, float]:
    """The window whose labels lie furthest from those of the champion's data, and how far.

    Windows with too few labels to be judged are judged together.
    """
    labels = [
        tables.read(t.table, t.version, columns=[use_case.target]).column(0)
        for t in (champion.training, champion.holdout)
    ]
    reference = pa.chunked_array([c for column in labels for c in column.chunks]).combine_chunks()
    cells = _cells(reference, use_case)
    before = _tally(cells, reference, np.ones(len(reference), dtype=np.int64))
    far = {
        name: distance(
            before, _tally(cells, pa.array(rows["label"].tolist()), rows["n"].to_numpy())
        ).effect
        for name, rows in _judged(taught, use_case)
    }
    name = max(far, key=lambda n: far[n])
    return name, far[name]


def _judged(labelled: pd.DataFrame, use_case: UseCase) -> Iterator[tuple[str, pd.DataFrame]]:
    policy = use_case.monitoring
    sizes = labelled.groupby("window")["n"].transform("sum")
    large = labelled[sizes >= policy.min_labels]
    for start, rows in large.groupby("window"):
        yield f"the {policy.every} from {start}", rows
    small = labelled[sizes < policy.min_labels]
    if not small.empty:
        yield "small windows together", small


def _cells(labels: pa.Array, use_case: UseCase) -> Cells:
    if not use_case.classifies:
        return number_cells(labels)
    words = sorted(labels.cast(pa.string()).unique().drop_null().to_pylist())
    return word_cells(labels, words)[0]


def _tally(
    cells: Cells, labels: pa.Array, n: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> Counts:
    return np.bincount(cells.of(labels), weights=n, minlength=len(cells.names)).astype(np.int64)
