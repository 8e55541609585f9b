"""Read a window of predictions: all rows in parts, or a seeded sample with the labels so far."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable

from contract.schema import TYPES
from contract.tables import Tables, quoted
from contract.use_case import UseCase
from monitoring.window import Window, literal

SEED = "fourcycle"
SCORE = "prediction_score"  # what drift of predictions is measured on
HASH_VALUES = 16**8


@dataclass(frozen=True)
class Reader:
    """The rows that one version answered in a window."""

    tables: Tables
    use_case: UseCase
    window: Window
    version: str

    def schema_problems(self) -> dict[str, str]:
        """Features that the table lacks or holds with another type, in words."""
        if self.window.table_version is None:
            return {}
        schema = pa.schema(self._predictions().schema().to_arrow())
        inputs = {field.name: field.type for field in schema.field("inputs").type}
        found = {}
        for name in self.use_case.features:
            declared = self.use_case.columns[name].type
            if name not in inputs:
                found[name] = f"{name} is missing"
            elif not _same(inputs[name], TYPES[declared]):
                found[name] = f"{name} is {inputs[name]}, was {declared}"
        return found

    def stream(self, features: list[str], positive: int | None) -> Iterator[pa.Table]:
        """Features, event time and the prediction's score of all rows, part by part."""
        if self.window.table_version is None:
            return iter(())
        inputs = "".join(f"t.inputs[{literal(n)}] AS {quoted(n)}, " for n in features)
        score = "prediction" if positive is None else f"probability[{positive + 1}]"
        sql = f"SELECT {inputs}event_time, {score} AS {SCORE} FROM t {self._where()}"  # noqa: S608
        return self.tables.stream(sql, **self._tables())

    def sample(self, features: list[str], n_rows: int, wanted: int) -> pd.DataFrame:
        """About `wanted` of the `n_rows` rows, or all; features, answers, label (null: none yet).

        The hash of the prediction's id chooses them, so the same rows are chosen again. They come
        in the order of that hash: any head of the frame is a sample too.
        """
        names = [*features, "prediction", "probability", "label"]
        if self.window.table_version is None:
            return pd.DataFrame(columns=names)
        chosen = self._where(_share_of_ids("t.", wanted / max(n_rows, 1)))
        inputs = "".join(f"t.inputs[{literal(n)}] AS {quoted(n)}, " for n in features)
        joins, label = self._labels()
        sql = (
            f"SELECT {inputs}t.prediction, t.probability, {label} AS label "  # noqa: S608
            f"FROM t {joins} {chosen} ORDER BY {_hash('t.')}, t.prediction_id"
        )
        rows: pd.DataFrame = self.tables.query(sql, **self._tables()).to_pandas()
        return rows

    def _predictions(self) -> DeltaTable:
        return self.tables.open("predictions", self.window.table_version)

    def _tables(self) -> dict[str, DeltaTable]:
        found = {"t": self._predictions()}
        if self.window.after is not None:
            found["before"] = self.tables.open("predictions", self.window.after)
        if self.tables.exists("feedback"):
            found["feedback"] = self.tables.open("feedback")
        return found

    def _where(self, *more: str) -> str:
        terms = [f"t.version = {literal(self.version)}", *self.window.where, *more]
        if self.window.after is not None:
            known = "SELECT prediction_id FROM before"
            terms.append(f"t.prediction_id NOT IN ({known})")
        return f"WHERE {' AND '.join(terms)}"

    def _labels(self) -> tuple[str, str]:
        """Joins that bring the newest revision of each row's label, and the label's expression.

        A label names its prediction, or the keys of the row that it belongs to.
        """
        if not self.tables.exists("feedback"):
            return "", "NULL"
        there = {field.name for field in self.tables.open("feedback").schema().fields}
        joins, labels = [], []
        if "prediction_id" in there:
            joins.append(_newest("by_id", ["prediction_id"], "prediction_id IS NOT NULL"))
            labels.append("by_id.label")
        keys = list(self.use_case.keys)
        if set(keys) <= there:
            nameless = "prediction_id IS NULL" if "prediction_id" in there else "true"
            joins.append(_newest("by_key", keys, nameless))
            labels.append("by_key.label")
        return " ".join(joins), f"coalesce({', '.join(labels)}, NULL)" if labels else "NULL"


def served_versions(tables: Tables, window: Window) -> list[str]:
    """Versions that answered in the window, the one with most rows first."""
    if window.table_version is None:
        return []
    known = {"t": tables.open("predictions", window.table_version)}
    terms = list(window.where)
    if window.after is not None:
        known["before"] = tables.open("predictions", window.after)
        terms.append("prediction_id NOT IN (SELECT prediction_id FROM before)")
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    found = tables.query(
        f"SELECT version FROM t {where} GROUP BY version ORDER BY count(*) DESC, version",  # noqa: S608
        **known,
    )
    return [str(v) for v in found.column("version").to_pylist()]


def _newest(alias: str, keys: list[str], condition: str) -> str:
    """A join with the newest revision of each label."""
    names = ", ".join(map(quoted, keys))
    on = " AND ".join(f"t.{quoted(k)} = {alias}.{quoted(k)}" for k in keys)
    numbered = (
        f"SELECT {names}, label, row_number() OVER "  # noqa: S608, quoted names
        f"(PARTITION BY {names} ORDER BY revision DESC, received_time DESC) AS nth "
        f"FROM feedback WHERE {condition}"
    )
    return f"LEFT JOIN ({numbered}) AS {alias} ON {on} AND {alias}.nth = 1"


def _hash(prefix: str) -> str:
    return f"md5(concat('{SEED}', {prefix}prediction_id))"


def _share_of_ids(prefix: str, share: float) -> str:
    """A condition that holds for a share of the rows, always the same ones."""
    if share >= 1:
        return "true"
    return f"{_hash(prefix)} < '{int(share * HASH_VALUES):08x}'"


def _same(found: pa.DataType, declared: pa.DataType) -> bool:
    if pa.types.is_timestamp(declared):
        return bool(pa.types.is_timestamp(found))
    if pa.types.is_string(declared):
        return bool(
            pa.types.is_string(found)
            or pa.types.is_large_string(found)
            or pa.types.is_string_view(found)
        )
    return bool(found == declared)
