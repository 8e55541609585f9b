"""Every key of a use case has an effect: what comes of another value of it is something else.

A field without a line in the table fails, so none can be declared and read nowhere.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake

from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.section import Section
from tests.conftest import MADE, made_rows
from tests.support import observed as see


@dataclass(frozen=True)
class Effect:
    """A key of the file with another value, and what is looked at; `given` stands beside both."""

    path: str
    value: object
    seen: Callable[[UseCase, Path], object]
    given: Mapping[str, object] = field(default_factory=dict)


RULE = {"expectation": "ExpectColumnMeanToBeBetween", "arguments": {"column": "size"}}
RULES = {"expectations": [RULE]}
GROUPED = {"split": {"by": "group", "column": "group", "holdout_share": 0.25}}
DRAWN = {"split": {"by": "random", "holdout_share": 0.25}}
DATED = {"split": {"by": "time", "train_until": "2024-01-03", "holdout_until": "2024-01-04"}}
MASS = {"columns.mass": {"type": "number", "min": 0}}
SQL = {"source": {"sql": {"url": "sqlite:///a.db", "query": "SELECT * FROM t"}}}
DELTA = {"source": {"delta": {"path": "a"}}}
NIGHTLY = {"schedule.monitor": "15 2 * * *"}
WATCHED = {"schedule.labels": "inbox/*.csv"}
MANUAL = {"release.approval": "manual"}
CLAIMED = MANUAL | {"release.unproven": True}
CELLS = {"source": {"csv": {"path": "cells.csv"}}}
INTERVAL = {"estimator.search": {"C": {"low": 1, "high": 10}}}

LOG = {"function": "log", "of": "size"}
DERIVED = {"derived": {"x": LOG}} | MASS
TEXTUAL = {"function": "length", "of": "group"}
WAIT = {"function": "difference", "of": ["sent", "moment"], "unit": "s"}
WAITING = {"derived": {"x": WAIT}, "columns.sent": {"type": "timestamp"}}
BINNED = {"derived": {"x": {"function": "bins", "of": "size", "edges": [0]}}}
CONDITION = {"derived": {"x": {"function": "condition", "of": "size", "at_least": 0, "below": 2}}}
CHOSEN = {"derived": {"x": {"function": "condition", "of": "colour", "one_of": ["red"]}}}
MISSING = {"derived": {"x": {"function": "condition", "of": "size", "missing": True}}}


def of_batch(**source: str) -> Mapping[str, object]:
    """A batch of one kind of source."""
    return {"batch": {"source": source, "target": "a/"}}


EFFECTS = {
    "UseCase.name": Effect("name", "other", see.table_folders),
    "UseCase.title": Effect("title", "Other rows", see.status_page),
    "UseCase.description": Effect("description", "Rows that tests make.", see.status_page),
    "UseCase.owner": Effect("owner", "tests@example.org", see.status_page),
    "UseCase.task": Effect("task", "multiclass", see.figures),
    "UseCase.keys": Effect("keys", ["id", "group"], see.expectations),
    "UseCase.event_time": Effect("event_time", None, see.request_rows, DRAWN),
    "UseCase.time_zone": Effect("time_zone", "Asia/Tokyo", see.due_times, NIGHTLY),
    "UseCase.target": Effect(
        "target", "group", see.request_rows, {"target": "colour", "positive": "red"}
    ),
    "UseCase.weight": Effect("weight", "mass", see.request_rows, MASS),
    "UseCase.positive": Effect("positive", False, see.figures),
    "Column.type": Effect("columns.size.type", "integer", see.request_rows),
    "Column.description": Effect("columns.size.description", "how large", see.request_rows),
    "Column.unit": Effect("columns.size.unit", "mm", see.request_rows),
    "Column.nullable": Effect("columns.size.nullable", False, see.expectations),
    "Column.min": Effect("columns.size.min", 0, see.expectations),
    "Column.max": Effect("columns.size.max", 1, see.expectations),
    "Column.categories": Effect("columns.colour.categories", ["red"], see.expectations),
    "Column.encode": Effect("columns.colour.encode", "target", see.encoder),
    "Column.max_categories": Effect("columns.colour.max_categories", 2, see.encoder),
    "Column.unseen": Effect("columns.colour.unseen", "reject", see.request_rows),
    "Column.out_of_range": Effect("columns.size.out_of_range", "reject", see.request_rows),
    "Column.personal": Effect("columns.colour.personal", True, see.logged),
    "Column.log": Effect("columns.colour.log", "drop", see.logged),
    "Column.parts": Effect("columns.moment.parts", ["hour"], see.request_rows),
    "Column.feature": Effect("columns.size.feature", False, see.request_rows),
    "Derived.function": Effect("derived.x", TEXTUAL, see.derived_values, DERIVED),
    "Derived.of": Effect("derived.x.of", "mass", see.derived_values, DERIVED),
    "Derived.description": Effect("derived.x.description", "how large", see.told_features, DERIVED),
    "Derived.unit": Effect("derived.x.unit", "h", see.derived_values, WAITING),
    "Derived.edges": Effect("derived.x.edges", [0.5], see.derived_values, BINNED),
    "Derived.at_least": Effect("derived.x.at_least", 1, see.derived_values, CONDITION),
    "Derived.below": Effect("derived.x.below", 1, see.derived_values, CONDITION),
    "Derived.one_of": Effect("derived.x.one_of", ["green"], see.derived_values, CHOSEN),
    "Derived.missing": Effect("derived.x.missing", False, see.derived_values, MISSING),
    "Derived.encode": Effect("derived.x.encode", "target", see.encoder, BINNED),
    "Derived.feature": Effect("derived.x.feature", False, see.derived_values, DERIVED),
    "Source.python": Effect(
        "source.python",
        "loader_of_fields:two",
        see.source_rows,
        {"source": {"python": "loader_of_fields:one"}},
    ),
    "Csv.path": Effect("source.csv", "b.csv", see.source_rows),
    "Csv.delimiter": Effect("source.csv.delimiter", ";", see.cells, CELLS),
    "Csv.decimal": Effect("source.csv.decimal", ",", see.cells, CELLS),
    "Csv.thousands": Effect("source.csv.thousands", ",", see.cells, CELLS),
    "Csv.encoding": Effect("source.csv.encoding", "latin-1", see.cells, CELLS),
    "Csv.null_values": Effect("source.csv.null_values", ["red"], see.cells, CELLS),
    "Csv.true_values": Effect("source.csv.true_values", ["1"], see.cells, CELLS),
    "Csv.false_values": Effect("source.csv.false_values", ["0"], see.cells, CELLS),
    "Csv.timestamp_format": Effect("source.csv.timestamp_format", "%Y%m%d", see.cells, CELLS),
    "Source.parquet": Effect(
        "source.parquet", "b.parquet", see.source_rows, {"source": {"parquet": "a.parquet"}}
    ),
    "Source.json_lines": Effect(
        "source.json", "b.jsonl", see.source_rows, {"source": {"json": "a.jsonl"}}
    ),
    "BatchSource.python": Effect(
        "batch.source.python",
        "loader_of_fields:two",
        see.batch_rows,
        of_batch(python="loader_of_fields:one"),
    ),
    "BatchSource.parquet": Effect(
        "batch.source.parquet", "b.parquet", see.batch_rows, of_batch(parquet="a.parquet")
    ),
    "BatchSource.json_lines": Effect(
        "batch.source.json", "b.jsonl", see.batch_rows, of_batch(json="a.jsonl")
    ),
    "BatchSource.table": Effect(
        "batch.source.table", "holdout", see.batch_rows, of_batch(table="raw")
    ),
    "Batch.target": Effect("batch.target", "b/", see.batch_options, of_batch(table="raw")),
    "Batch.bad_rows": Effect(
        "batch.bad_rows", "quarantine", see.batch_options, of_batch(table="raw")
    ),
    "Batch.cron": Effect("batch.cron", "20 3 * * *", see.due_times, of_batch(table="raw")),
    "Source.since": Effect("source.since", "id", see.read_mark, {"source.since": "moment"}),
    "Source.late_duplicates": Effect("source.late_duplicates", "replace", see.usable_rows),
    "Source.expect_every": Effect("source.expect_every", "1 day", see.lateness),
    "Sql.url": Effect("source.sql.url", "sqlite:///b.db", see.source_rows, SQL),
    "Sql.query": Effect("source.sql.query", "SELECT id FROM t", see.source_rows, SQL),
    "Delta.path": Effect("source.delta.path", "b", see.source_rows, DELTA),
    "Delta.version": Effect("source.delta.version", 0, see.source_rows, DELTA),
    "Expectation.expectation": Effect(
        "expectations",
        [RULE | {"expectation": "ExpectColumnMedianToBeBetween"}],
        see.expectations,
        RULES,
    ),
    "Expectation.severity": Effect(
        "expectations", [RULE | {"severity": "critical"}], see.expectations, RULES
    ),
    "Expectation.arguments": Effect(
        "expectations", [RULE | {"arguments": {"column": "id"}}], see.expectations, RULES
    ),
    "Validation.min_rows": Effect("validation.min_rows", 21, see.expectations),
    "Validation.max_quarantined_share": Effect(
        "validation.max_quarantined_share", 0.1, see.quarantine_limit
    ),
    "TimeSplit.by": Effect("split", DRAWN["split"], see.sides),
    "TimeSplit.train_from": Effect("split.train_from", "2024-01-02", see.sides, DATED),
    "TimeSplit.train_until": Effect("split.train_until", "2024-01-02", see.sides, DATED),
    "TimeSplit.holdout_until": Effect("split.holdout_until", "2024-01-05", see.sides, DATED),
    "TimeSplit.holdout_share": Effect("split.holdout_share", 0.5, see.sides),
    "GroupSplit.by": Effect("split", GROUPED["split"], see.sides),
    "GroupSplit.column": Effect("split.column", "colour", see.sides, GROUPED),
    "GroupSplit.holdout_share": Effect("split.holdout_share", 0.8, see.sides, GROUPED),
    "GroupSplit.seed": Effect("split.seed", 1, see.sides, GROUPED),
    "RandomSplit.by": Effect("split", DRAWN["split"], see.sides, GROUPED),
    "RandomSplit.holdout_share": Effect("split.holdout_share", 0.5, see.sides, DRAWN),
    "RandomSplit.seed": Effect("split.seed", 1, see.sides, DRAWN),
    "Range.low": Effect("estimator.search.C.low", 2, see.search_space, INTERVAL),
    "Range.high": Effect("estimator.search.C.high", 20, see.search_space, INTERVAL),
    "Range.log": Effect("estimator.search.C.log", True, see.search_space, INTERVAL),
    "Range.integer": Effect("estimator.search.C.integer", True, see.search_space, INTERVAL),
    "Range.choices": Effect("estimator.search.C", {"choices": [1, 2]}, see.search_space, INTERVAL),
    "Estimator.path": Effect(
        "estimator.path", "sklearn.tree.DecisionTreeClassifier", see.estimator
    ),
    "Estimator.parameters": Effect("estimator.parameters", {"C": 0.5}, see.estimator),
    "Estimator.seed": Effect("estimator.seed", 1, see.estimator),
    "Evaluation.metric": Effect("evaluation.metric", "log_loss", see.comparison),
    "Evaluation.slices": Effect("evaluation.slices", ["group"], see.slices),
    "Evaluation.resamples": Effect("evaluation.resamples", 1200, see.comparison),
    "Gates.minimum": Effect("gates.minimum", {"roc_auc": 0.9}, see.gate_decision),
    "Gates.maximum": Effect("gates.maximum", {"calibration_error": 0.01}, see.gate_decision),
    "Gates.min_rows": Effect("gates.min_rows", 400, see.gate_decision),
    "Gates.min_class_rows": Effect("gates.min_class_rows", 50, see.gate_decision),
    "Gates.margin": Effect("gates.margin", 0.001, see.gate_decision),
    "Gates.slice_margin": Effect("gates.slice_margin", 0.2, see.gate_decision),
    "Gates.slice_min_rows": Effect("gates.slice_min_rows", 300, see.gate_decision),
    "Gates.max_latency_ms": Effect("gates.max_latency_ms", 10, see.gate_decision),
    "Gates.max_size_mb": Effect("gates.max_size_mb", 50, see.gate_decision),
    "Release.approval": Effect("release.approval", "manual", see.approval),
    "Release.self_approval": Effect("release.self_approval", True, see.approval, CLAIMED),
    "Release.unproven": Effect("release.unproven", True, see.approval, MANUAL),
    "Release.check_s": Effect("release.check_s", 0.05, see.release_check),
    "Monitoring.reference_rows": Effect("monitoring.reference_rows", 200, see.reference_size),
    "Monitoring.every": Effect("monitoring.every", "week", see.windows),
    "Monitoring.min_rows": Effect("monitoring.min_rows", 300, see.verdict),
    "Monitoring.distance": Effect("monitoring.distance", "psi", see.verdict),
    "Monitoring.effect_limit": Effect("monitoring.effect_limit", 0.2, see.verdict),
    "Monitoring.effect_limits": Effect("monitoring.effect_limits", {"size": 0.5}, see.verdict),
    "Monitoring.alpha": Effect("monitoring.alpha", 0.0001, see.verdict),
    "Monitoring.alarm_windows": Effect("monitoring.alarm_windows", 3, see.verdict),
    "Monitoring.of_last": Effect("monitoring.of_last", 2, see.verdict),
    "Monitoring.cool_down": Effect("monitoring.cool_down", 1, see.verdict),
    "Monitoring.min_labels": Effect("monitoring.min_labels", 200, see.verdict),
    "Monitoring.min_label_coverage": Effect("monitoring.min_label_coverage", 0.9, see.verdict),
    "Monitoring.performance_margin": Effect("monitoring.performance_margin", 0.05, see.verdict),
    "Monitoring.slices": Effect("monitoring.slices", ["group"], see.slices),
    "Monitoring.retrain_on": Effect("monitoring.retrain_on", ["columns"], see.retrain_decision),
    "Monitoring.alert_on": Effect("monitoring.alert_on", ["columns"], see.message),
    "Retraining.window_days": Effect("retraining.window_days", 7, see.label_days),
    "Retraining.min_labels": Effect("retraining.min_labels", 3000, see.retrain_decision),
    "Retraining.cool_down_days": Effect("retraining.cool_down_days", 2, see.retrain_decision),
    "Retraining.max_label_shift": Effect("retraining.max_label_shift", 0.1, see.retrain_decision),
    "Retraining.max_key_share": Effect("retraining.max_key_share", 0.3, see.retrain_decision),
    "Retraining.max_hours": Effect("retraining.max_hours", 1, see.deadlines),
    "Schedule.feedback": Effect("schedule.feedback", "*/30 * * * *", see.due_times, WATCHED),
    "Schedule.pipeline": Effect("schedule.pipeline", "20 3 * * *", see.due_times),
    "Schedule.monitor": Effect("schedule.monitor", "20 3 * * *", see.due_times),
    "Schedule.retrain": Effect("schedule.retrain", "20 3 * * *", see.due_times),
    "Schedule.maintain": Effect("schedule.maintain", "20 3 * * *", see.due_times),
    "Schedule.labels": Effect("schedule.labels", "outbox/*.parquet", see.label_files, WATCHED),
    "Schedule.look_back": Effect("schedule.look_back", 3, see.windows),
    "Schedule.attempts": Effect("schedule.attempts", 5, see.due_times, NIGHTLY),
    "Schedule.retry_s": Effect("schedule.retry_s", 30, see.due_times, NIGHTLY),
    "Schedule.deadline_s": Effect("schedule.deadline_s", 60, see.deadlines),
    "Serving.allow_sklearn": Effect("serving.allow_sklearn", True, see.loading),
    "Privacy.retention_days": Effect("privacy.retention_days", 365, see.kept_rows),
    "Card.intended_use": Effect("card.intended_use", "Tests.", see.status_page),
    "Card.out_of_scope": Effect("card.out_of_scope", "The rest.", see.status_page),
    "Card.limits": Effect("card.limits", ["Made up."], see.status_page),
}


def parts(annotation: Any) -> Iterator[type[Section]]:
    """The models in an annotation, those in tuples, dicts and unions too."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from parts(argument)


def fields_of(model: type[Section]) -> Iterator[str]:
    """Fields of a model and of those below it; a section is known by its own fields."""
    for name, found in model.model_fields.items():
        below = [*parts(found.annotation)]
        if not below and not found.exclude:
            yield f"{model.__name__}.{name}"
        for part in below:
            yield from fields_of(part)


def declared(folder: Path, changes: Mapping[str, object]) -> UseCase:
    """The made use case as a file that says these things, too."""
    raw = yaml.safe_load(MADE) | {"source": {"csv": "a.csv"}}
    for path, value in deepcopy(dict(changes)).items():
        *sections, key = path.split(".")
        at = raw
        for section in sections:
            at = at.setdefault(section, {})
        at[key] = value
    return parse_use_case(yaml.safe_dump(raw), "made.yaml", folder)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two sources of each kind, of three rows and of four."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "loader_of_fields.py").write_text(
        "import pandas as pd\n\n"
        "def one():\n    return pd.DataFrame({'id': [1]})\n\n"
        "def two():\n    return pd.DataFrame({'id': [1, 2]})\n"
    )
    for name, n_rows in (("a", 3), ("b", 4)):
        rows = made_rows(n_rows)
        rows.to_csv(folder / f"{name}.csv", index=False)
        rows.to_parquet(folder / f"{name}.parquet", index=False)
        rows.to_json(folder / f"{name}.jsonl", orient="records", lines=True)
        with sqlite3.connect(folder / f"{name}.db") as database:
            rows.drop(columns="moment").to_sql("t", database, index=False)
        database.close()
        for part in (rows[:2], rows[2:]):
            write_deltalake(folder / name, pa.Table.from_pandas(part), mode="append")
    return folder


def test_every_field_has_its_line() -> None:
    assert set(fields_of(UseCase)) == set(EFFECTS)


@pytest.mark.parametrize("name", EFFECTS)
def test_another_value_is_seen(name: str, sources: Path, home: Path) -> None:
    effect, number = EFFECTS[name], count()

    def seen(changes: Mapping[str, object]) -> object:
        (folder := home / f"{next(number)}").mkdir()
        return effect.seen(declared(sources, changes), folder)

    plain = seen(effect.given)
    assert plain == seen(effect.given), "the same use case twice"
    assert plain != seen({**effect.given, effect.path: effect.value})
