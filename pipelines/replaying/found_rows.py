"""What the tables hold of a replayed window, beside what was asked of it: rows, labels, times."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from contract.store.labels import moment
from contract.store.sql import quoted
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.windows.window import in_earnest
from pipelines.data.after_holdout import Days
from pipelines.data.days import local_midnight

# Columns of ours: no key may be called as a column of `predictions` or `feedback` is.
TIME, PLACE, TRUTH = "event_time", "row", "reason"


@dataclass(frozen=True)
class FoundRows:
    """One window: promised is what was asked or said, found is what the tables hold of it."""

    window: Days
    rows_promised: int
    rows_found: int  # asked rows that have an answer
    answers_repeated: int  # answers whose id stands more than once
    versions: tuple[str, ...]  # that answered them
    labels_promised: int
    labels_found: int  # asked rows whose label stands there as it was said
    labels_repeated: int  # statements beyond one for each row
    requests: int
    latency_ms: tuple[float, float, float] | None  # of a row's request: p50, p95, p99


def found_rows(tables: Tables, use_case: UseCase, window: Days, asked: pa.Table) -> FoundRows:
    """Look for every row of a window that was asked, and for its label, by keys and event time."""
    names = [*use_case.keys, TIME]
    times = asked.column(str(use_case.event_time))
    places = asked.select(list(use_case.keys)).append_column(TIME, times)
    places = places.append_column(PLACE, pa.array(range(asked.num_rows)))
    start, end = (local_midnight(day, use_case.time_zone) for day in (window.start, window.end))
    answers = _answers(tables, names, start, end)
    matched = places.join(answers.cast(_like(answers, places)), names, join_type="inner")
    labels = asked.column(use_case.target)
    truth = places.append_column(TRUTH, labels).filter(pc.is_valid(labels))
    said = _statements(tables, names, start, end)
    heard = truth.join(said.cast(_like(said, truth)), names, join_type="inner")
    same = heard.filter(pc.equal(heard.column(TRUTH), heard.column("label").cast(_type(truth))))
    latencies = matched.column("latency_ms").drop_null()
    ids = matched.column("prediction_id")
    return FoundRows(
        window=window,
        rows_promised=asked.num_rows,
        rows_found=_distinct(matched.column(PLACE)),
        answers_repeated=len(ids) - _distinct(ids),
        versions=tuple(sorted(pc.unique(matched.column("version")).to_pylist())),
        labels_promised=truth.num_rows,
        labels_found=_distinct(same.column(PLACE)),
        labels_repeated=heard.num_rows - _distinct(heard.column(PLACE)),
        requests=_distinct(matched.column("request_id")),
        latency_ms=_quantiles(latencies) if len(latencies) else None,
    )


def _answers(tables: Tables, names: Sequence[str], start: datetime, end: datetime) -> pa.Table:
    opened = tables.open("predictions")
    terms = [*_between("p.event_time", start, end), *in_earnest(opened)]
    wanted = "p.prediction_id, p.request_id, p.version, p.latency_ms"
    query = f"SELECT {_named(names)}, {wanted} FROM p WHERE {' AND '.join(terms)}"  # noqa: S608
    return tables.query(query, p=opened)


def _statements(tables: Tables, names: Sequence[str], start: datetime, end: datetime) -> pa.Table:
    opened = tables.open("feedback")
    terms = " AND ".join(_between("p.event_time", start, end))
    return tables.query(f"SELECT {_named(names)}, p.label FROM p WHERE {terms}", p=opened)  # noqa: S608


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"p.{quoted(name)}" for name in names)


def _between(time: str, start: datetime, end: datetime) -> list[str]:
    return [f"{time} >= {moment(start)}", f"{time} < {moment(end)}"]


def _like(rows: pa.Table, model: pa.Table) -> pa.Schema:
    """The schema of rows with the types of the columns that they share with a model."""
    shared = set(model.column_names)
    return pa.schema([model.schema.field(f.name) if f.name in shared else f for f in rows.schema])


def _type(truth: pa.Table) -> pa.DataType:
    return truth.schema.field(TRUTH).type


def _distinct(values: pa.ChunkedArray) -> int:
    return int(pc.count_distinct(values).as_py())


def _quantiles(times: pa.ChunkedArray) -> tuple[float, float, float]:
    p50, p95, p99 = pc.quantile(times, q=[0.5, 0.95, 0.99]).to_pylist()
    return p50, p95, p99
