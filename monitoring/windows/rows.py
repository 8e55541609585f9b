"""Read a window of predictions: all rows in parts, or a seeded sample with the labels so far."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from contract.store.frames import feature_rows
from contract.store.labels import NO_LABELS, labels_sql, shared_keys
from contract.store.predictions import INPUT, PARTITION
from contract.store.schema import TYPES
from contract.store.sql import quoted
from contract.store.tables import Tables
from contract.use_case.features import sources
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import altered
from monitoring.windows.reference import Rows
from monitoring.windows.window import Window, literal

HASH = "md5(concat('fourcycle', {}))"
SCORE = "prediction_score"  # what drift of predictions is measured on
HASH_VALUES = 16**8
ANSWER = ("prediction", "probability", "label", "label_time")


@dataclass(frozen=True)
class WindowReader:
    """The rows that one version answered in a window."""

    tables: Tables
    use_case: UseCase
    window: Window
    version: str

    def schema_problems(self) -> dict[str, str]:
        """Inputs that the table lacks or holds with another type, in words."""
        if self.window.table_version is None:
            return {}
        table = self.tables.open("predictions", self.window.table_version)
        schema = pa.schema(table.schema().to_arrow())
        inputs = {field.name: field.type for field in schema.field("inputs").type}
        problems = {}
        hidden = altered(self.use_case)
        for name in (n for n in self.use_case.inputs if n not in hidden):
            declared = self.use_case.columns[name].type
            if name not in inputs:
                problems[name] = f"{name} is missing"
            elif not _same(inputs[name], TYPES[declared]):
                problems[name] = f"{name} is {inputs[name]}, was {declared}"
        return problems

    def stream(self, features: list[str], score: int | None) -> Iterator[pa.Table]:
        """Features (INPUT and their names), event time and score of all rows, part by part.

        They are computed again from what was sent, by the use case of the version.
        `score` is the index of the probability that stands for the prediction; None: it itself.
        """
        opened = _opened(self.tables, self.window)
        value = "p.prediction" if score is None else f"p.probability[{score + 1}]"
        for day in by_day(self.window, opened):
            sql = (
                f"SELECT {self._sent(features)}p.event_time, {value} AS {SCORE} "  # noqa: S608
                f"FROM predictions p WHERE {replace(self, window=day)._chosen()}"
            )
            for part in self.tables.stream(sql, **opened):
                yield self._with_features(part, features)

    def days(self) -> "list[WindowReader]":
        """A reader for each part of the window (`by_day`), for workers who share the counting."""
        opened = _opened(self.tables, self.window)
        return [replace(self, window=day) for day in by_day(self.window, opened)]

    def sample(self, features: list[str], n_rows: int, wanted: int) -> Rows:
        """About `wanted` of the `n_rows` rows, or all: features, answers, label and its time.

        The hash of the prediction's id chooses them, so the same rows are chosen again. They come
        in the order of that hash: the first of them are a sample too. No label yet is null.
        """
        if self.window.table_version is None:
            return Rows(pd.DataFrame(columns=features), pd.DataFrame(columns=list(ANSWER)))
        opened = _opened(self.tables, self.window)
        chosen = self._chosen(wanted / max(n_rows, 1))
        labels = NO_LABELS
        if self.tables.exists("feedback"):
            opened["feedback"] = self.tables.open("feedback")
            sides = {name: opened[name] for name in ("predictions", "feedback")}
            labels = labels_sql(shared_keys(sides, self.use_case.keys), chosen)
        sql = (
            f"SELECT {self._sent(features)}p.prediction, p.probability, l.label, l.label_time "  # noqa: S608
            f"FROM predictions p LEFT JOIN ({labels}) l ON l.prediction_id = p.prediction_id "
            f"WHERE {chosen} ORDER BY {HASH.format('p.prediction_id')}, p.prediction_id"
        )
        found = self._with_features(self.tables.query(sql, **opened), features)
        rows: pd.DataFrame = found.to_pandas()
        inputs = rows[[f"{INPUT}{name}" for name in features]].set_axis(features, axis="columns")
        return Rows(inputs, rows[list(ANSWER)])

    def _sent(self, features: list[str]) -> str:
        """SQL of the inputs from which the features are computed, INPUT before their names."""
        read = frozenset[str]().union(*(sources(self.use_case, name) for name in features))
        names = [name for name in self.use_case.inputs if name in read]
        return "".join(f"p.inputs[{literal(n)}] AS {quoted(INPUT + n)}, " for n in names)

    def _with_features(self, rows: pa.Table, features: list[str]) -> pa.Table:
        """The rows with the features in place of the inputs that they are computed from."""
        sent = [name for name in rows.column_names if name.startswith(INPUT)]
        given = rows.select(sent).rename_columns([name.removeprefix(INPUT) for name in sent])
        made = feature_rows(given, self.use_case, features)
        kept = {name: rows.column(name) for name in rows.column_names if name not in sent}
        return pa.table({INPUT + n: made.column(n) for n in features} | kept)

    def _chosen(self, share: float = 1) -> str:
        """The condition for the rows, or for a share of them, always the same ones."""
        terms = [f"p.version = {literal(self.version)}", *_conditions(self.window, share)]
        return " AND ".join(terms)


def served_versions(tables: Tables, window: Window) -> list[str]:
    """Versions that answered in the window, the one with most rows first."""
    opened, counts = _opened(tables, window), Counter[str]()
    for day in by_day(window, opened):
        found = tables.query(
            "SELECT p.version, count(*) AS n FROM predictions p "  # noqa: S608
            f"WHERE {' AND '.join(['true', *_conditions(day)])} GROUP BY p.version",
            **opened,
        )
        counts.update({str(row["version"]): row["n"] for row in found.to_pylist()})
    return sorted(counts, key=lambda version: (-counts[version], version))


def by_day(window: Window, opened: Mapping[str, DeltaTable]) -> list[Window]:
    """The window in parts without a row in common: a UTC day each, of which there are files.

    `opened` are its tables, `predictions` and `before`. One part where they are not kept by day.
    """
    if window.table_version is None:
        return []
    if PARTITION not in opened["predictions"].metadata().partition_columns:
        return [window]
    files = _files(opened["predictions"])
    if "before" in opened:  # a file of both versions has no row that came between
        files ^= _files(opened["before"])
    first, last = window.first_day or date.min, window.last_day or date.max
    return [window.of_day(day) for day in sorted({d for _, d in files}) if first <= day <= last]


def _files(table: DeltaTable) -> set[tuple[str, date]]:
    """Path and day of each file."""
    added = pa.table(table.get_add_actions(flatten=True))
    names = ("path", f"partition.{PARTITION}")
    return set(zip(*(added.column(name).to_pylist() for name in names), strict=True))


def _opened(tables: Tables, window: Window) -> dict[str, DeltaTable]:
    if window.table_version is None:
        return {}
    opened = {"predictions": tables.open("predictions", window.table_version)}
    if window.after is not None:
        opened["before"] = tables.open("predictions", window.after)
    return opened


def _conditions(window: Window, share: float = 1) -> list[str]:
    conditions = [*window.where, _share_of_ids(share, "p.prediction_id")]
    if window.after is None:
        return conditions
    # Whatever rewrote a file kept each row's id and day: only ids of as few rows have to be held.
    known = [_share_of_ids(share, "prediction_id")]
    if window.first_day is not None and window.first_day == window.last_day:
        known.append(f"{PARTITION} = DATE '{window.first_day}'")
    before = f"SELECT prediction_id FROM before WHERE {' AND '.join(known)}"  # noqa: S608
    return [*conditions, f"p.prediction_id NOT IN ({before})"]


def _share_of_ids(share: float, column: str) -> str:
    """A condition that holds for a share of the rows, always the same ones."""
    if share >= 1:
        return "true"
    return f"{HASH.format(column)} < '{int(share * HASH_VALUES):08x}'"


def _same(actual: pa.DataType, declared: pa.DataType) -> bool:
    if pa.types.is_timestamp(declared):
        return bool(pa.types.is_timestamp(actual))
    if pa.types.is_string(declared):
        return bool(
            pa.types.is_string(actual)
            or pa.types.is_large_string(actual)
            or pa.types.is_string_view(actual)
        )
    return bool(actual == declared)
