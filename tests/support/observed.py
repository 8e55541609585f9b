"""What comes of a use case, seen at the functions that consume it: small inputs, real outputs.

Each takes a use case and an empty folder and gives something that can be compared.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow as pa
from mlflow import MlflowClient
from mlflow.models import Model

from contract.errors import FourcycleError
from contract.names import DELIVERY, ROW_HASH, USE_CASE_FILE, TableName
from contract.settings import Settings
from contract.statistics.metrics import Scored, metrics_for
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.store.schema import arrow_schema
from contract.store.tables import BROUGHT, COLLECTED, Tables, TableVersion
from contract.use_case.features import derivation, told
from contract.use_case.loader import frozen
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from contract.use_case.sections.source import Csv
from monitoring.alerts.notices.registry import look
from monitoring.alerts.policy import AlertState, OpenAlerts
from monitoring.alerts.policy import decide as decide_message
from monitoring.measures.compare import ColumnChange
from monitoring.measures.performance import PerformanceFall
from monitoring.verdict.evidence import DriftVerdict, PastVerdict, WindowEvidence
from monitoring.verdict.judge import slice_columns
from monitoring.verdict.verdict import decide as decide_verdict
from monitoring.verdict.verdict import find
from pipelines.data.delivery import refusal
from pipelines.data.expectations import row_rules, table_rules
from pipelines.data.raw_table import quarantine_schema, raw_schema, valid_rows
from pipelines.data.retention import expire
from pipelines.data.validated import Validated
from pipelines.model.comparison import Comparison, Difference, SliceDifference, compare
from pipelines.model.estimator import build_estimator
from pipelines.model.fitted import signature
from pipelines.model.preprocess import build_encoder
from pipelines.model.search.tune import suggest
from pipelines.package import reference_inputs, seal
from pipelines.promote import check_approval
from pipelines.registry.versions import Version
from pipelines.release import decision, gate_evidence
from pipelines.release.release_check import check_release
from pipelines.retraining.label_checks import ChampionTables, label_figures
from pipelines.retraining.policy import (
    LabelledAnswers,
    LabelledWindow,
    PersonalRequest,
    ReportedWindow,
    RetrainHistory,
    allowed,
    called_for,
)
from pipelines.runtime.workspace import Workspace
from pipelines.scheduling.due import JobState, deadline_s, ended_windows, first_due, next_try
from pipelines.scheduling.jobs import JobContext, label_pattern
from pipelines.score import ScoreOptions
from pipelines.scoring.places import place_of_rows
from pipelines.scoring.rows import open_rows
from pipelines.sources.newer import newest
from pipelines.sources.registry import read_source
from pipelines.split import divide
from serving.http.status_page import page
from serving.protocols.openapi_rows import row_schema
from serving.scoring.scorer import Scorer
from serving.scoring.version import ServedVersion, load_version
from tests.conftest import made_rows
from tests.support import monitored as made
from tracking.tags import PACKAGE_TAG, TRAINED_BY_NOTE_TAG
from tracking.who import Actor

START = datetime(2024, 2, 1, tzinfo=UTC)
BATCH_TABLES: dict[TableName, int] = {"raw": 1, "holdout": 2}
NOW = datetime(2024, 3, 10, 12, tzinfo=UTC)
BEFORE = made_rows(100)


# Data


def source_rows(use_case: UseCase, _: Path) -> object:
    return read_source(use_case).to_pydict()


def read_mark(use_case: UseCase, _: Path) -> object:
    return newest(read_source(use_case), str(use_case.source.since))


def cells(use_case: UseCase, folder: Path) -> object:
    """What is read of small CSV files, or said of them."""
    files = [
        b'id,size\n1,"1,500"\n',
        b"id;size\n1;2\n",
        b"id,colour\n1,\xe9\n",
        b"id,colour\n1,red\n",
    ]
    files += [b"id,late\n1,1\n", b"id,late\n1,0\n", b"id,moment\n1,20240102\n"]
    seen: list[object] = []
    for content in files:
        (folder / "cells.csv").write_bytes(content)
        csv = (use_case.source.csv or Csv(path="")).model_copy(
            update={"path": str(folder / "cells.csv")}
        )
        source = use_case.source.model_copy(update={"csv": csv})
        try:
            rows = read_source(use_case.model_copy(update={"source": source}))
            seen.append(rows.to_pydict())
        except FourcycleError as error:
            seen.append(str(error).replace(str(folder), ""))
    return seen


def expectations(use_case: UseCase, _: Path) -> object:
    return [*row_rules(use_case), *table_rules(use_case)]


def quarantine_limit(use_case: UseCase, _: Path) -> object:
    table = TableVersion("raw", 1, 100, "")
    found = Validated(
        raw=table,
        quarantine=table,
        delivery=1,
        rows_checked=100,
        rows_quarantined=7,
        expectations_passed=1,
        expectations_total=1,
        warnings=(),
    )
    return refusal(use_case, [], found)


def usable_rows(use_case: UseCase, folder: Path) -> object:
    """Of a row that is delivered twice, with another size the second time."""
    tables = Tables(str(folder), use_case.name)
    tables.create("raw", raw_schema(use_case))
    tables.create("quarantine", quarantine_schema(use_case))
    for number, size in enumerate((1.0, 2.0), start=1):
        rows = pa.Table.from_pandas(made_rows(1).assign(size=size), preserve_index=False)
        rows = rows.select(list(use_case.columns)).cast(arrow_schema(use_case))
        rows = rows.append_column(ROW_HASH, pa.array(row_hashes(rows)))
        tables.append("raw", rows.append_column(DELIVERY, pa.array([number])))
    found = valid_rows(tables, use_case, tables.version("raw"), tables.version("quarantine"))
    return found.column("size").to_pylist()


def sides(use_case: UseCase, _: Path) -> object:
    rows = pa.Table.from_pandas(BEFORE, preserve_index=False)
    return [mask.tolist() for mask in divide(rows, use_case)]


def table_folders(use_case: UseCase, folder: Path) -> object:
    Tables(str(folder), use_case.name).create("raw", raw_schema(use_case))
    return sorted(path.name for path in folder.iterdir())


# Model


def estimator(use_case: UseCase, _: Path) -> object:
    return repr(build_estimator(use_case, use_case.estimator.parameters))


def encoder(use_case: UseCase, _: Path) -> object:
    return repr(build_encoder(use_case, build_estimator(use_case, {})))


def search_space(use_case: UseCase, _: Path) -> object:
    trial = optuna.create_study().ask()
    for name, space in use_case.estimator.search.items():
        suggest(trial, name, space)
    return trial.distributions


def reference_size(use_case: UseCase, _: Path) -> object:
    return len(reference_inputs(use_case, pd.concat([BEFORE] * 3)))


def scored(flip: float = 0.0) -> Scored:
    """Answers on 60 rows by chance alone, some turned round."""
    random = np.random.default_rng(0)
    label, p = random.random(60) < 0.4, random.random(60)
    p = np.where(random.random(60) < flip, 1 - p, p)
    return Scored(label, p > 0.5, np.stack([1 - p, p], axis=1), (False, True))


def figures(use_case: UseCase, _: Path) -> object:
    found = scored()
    ones = np.ones((1, len(found.label)))
    return {name: float(m(ones)[0]) for name, m in metrics_for(use_case, found).items()}


def comparison(use_case: UseCase, _: Path) -> object:
    return compare(use_case, scored(), scored(flip=0.3), {})


def slices(use_case: UseCase, _: Path) -> object:
    return slice_columns(use_case, BEFORE, BEFORE)


# Development


def gate_decision(use_case: UseCase, _: Path) -> object:
    """On a challenger as good as the champion, but on one slice."""
    equal, worse = Difference(0.0, -0.01, 0.01, 0.005), Difference(-0.1, -0.12, -0.08, 0.01)
    red = SliceDifference("colour", "red", 250, 0.7, 0.8, worse)
    found = Comparison("roc_auc", 0.8, 0.8, equal, (red,), (0.0,) * 1000)
    evidence = gate_evidence.GateEvidence(
        version="2",
        problems=(),
        missing_tags=(),
        validation="12 of 12 expectations",
        rows=300,
        rarest=gate_evidence.RarestClass("True", 40),
        holdout_hash="ab",
        registered_hash="ab",
        trained_on=0,
        figures={"roc_auc": 0.8, "calibration_error": 0.05},
        baseline={"roc_auc": 0.5, "calibration_error": 0.01},
        latency=gate_evidence.Latency(1000, 10, 20),
        size_mb=100,
        opponent=gate_evidence.Champion("1", trained_on=0, breaks=(), comparison=found),
    )
    return decision.decide(use_case.gates, evidence)


def approval(use_case: UseCase, _: Path) -> object:
    """Of a version by the person that trained it."""
    version = Version("2", "Staging", "", "", {TRAINED_BY_NOTE_TAG: "anna"})
    try:
        check_approval(use_case.release, version, Actor("", "anna"), "looks good", None)
    except FourcycleError as error:
        return str(error)
    return "approved"


def empty_package(use_case: UseCase, folder: Path) -> str:
    """A sealed package without a scorer; its digest."""
    flavors = {"python_function": {"loader_module": "mlflow.sklearn"}}
    Model(signature=signature(use_case), flavors=flavors).save(str(folder / "MLmodel"))
    (folder / USE_CASE_FILE).write_text(frozen(use_case), encoding="utf-8")
    return seal(folder)


def release_check(use_case: UseCase, folder: Path) -> object:
    (package := folder / "package").mkdir()
    version = Version(
        "2", "Staging", "", str(package), {PACKAGE_TAG: empty_package(use_case, package)}
    )
    nobody = MlflowClient("http://127.0.0.1:9")  # a check asks no registry
    workspace = Workspace(
        use_case, Settings(), Tables(str(folder), "made"), nobody, "0", Actor("", "anna")
    )
    try:
        return check_release(workspace, version)
    except FourcycleError as error:
        return str(error)


# Operations


def request_rows(use_case: UseCase, _: Path) -> object:
    return row_schema(use_case)


def derived_values(use_case: UseCase, _: Path) -> object:
    rows = BEFORE.assign(mass=BEFORE["size"].abs() + 1, sent=BEFORE["moment"])
    rows["sent"] += pd.Timedelta(hours=1)
    rows.loc[0, "size"] = np.nan
    derive = derivation(use_case)
    if derive is None:
        return None
    table = pa.Table.from_pandas(rows.head(50), preserve_index=False)
    found = derive({name: table.column(name).to_pylist() for name in derive.reads})
    return {name: found[name] for name in use_case.features if name in found}


def told_features(use_case: UseCase, _: Path) -> object:
    return list(told(use_case))


def status_page(use_case: UseCase, _: Path) -> object:
    scorer = Scorer((), (), lambda _: np.empty((0, 1)))
    served = ServedVersion("made", "2", "", use_case, scorer)
    return page(served, None, [], "http://127.0.0.1:5000", keys=False)


def loading(use_case: UseCase, folder: Path) -> object:
    """Of a package that holds no compiled scorer, and no model either."""
    empty_package(use_case, folder)
    try:
        return load_version(folder, "made", "2").digest
    except FourcycleError as error:
        return str(error).replace(str(folder), "")


def logged(use_case: UseCase, _: Path) -> object:
    columns: dict[str, list[Any]] = {"colour": ["red"], "size": [1.0], "group": ["a"], "id": [1]}
    return Pseudonymiser.of(use_case, "secret").apply(columns)


def kept_rows(use_case: UseCase, folder: Path) -> object:
    tables = Tables(str(folder), use_case.name)
    made.answer(tables, use_case, made.rows(10, 1))
    return expire(tables, use_case, datetime(2030, 1, 1, tzinfo=UTC))


def verdict(use_case: UseCase, _: Path) -> object:
    """On a window after one with the same drift, and one without, half of it labelled and worse."""
    found = find(
        [
            ColumnChange("size", "columns", 0.15, 0.001),
            ColumnChange("colour", "columns", 0.01, 0.5),
        ],
        use_case.monitoring,
    )
    fall = PerformanceFall("roc_auc", 0.8, 0.7, 0.68, 0.72, 0.03, 0.17, rows=200, labels=150)
    past = [PastVerdict(frozenset({s}), frozenset({s})) for s in ("columns:size", "label")]
    return decide_verdict(WindowEvidence(200, found, fall), past, use_case.monitoring), found


def message(use_case: UseCase, _: Path) -> object:
    drifting = ("performance", "columns:size")
    return decide_message(
        AlertState(drifting, drifting, drifting), OpenAlerts(), use_case.monitoring.alert_on
    )


def windows(use_case: UseCase, _: Path) -> object:
    return ended_windows(NOW, None, use_case)


def lateness(use_case: UseCase, folder: Path) -> object:
    """Whether a delivery of two days ago is late."""
    tables = Tables(str(folder), "made")
    rows = pa.table({DELIVERY: pa.array([1], pa.int64())})
    tables.append("raw", rows, **{BROUGHT: "1", COLLECTED: "yes"})
    found = look(use_case, tables, datetime.now(UTC) + timedelta(days=2))
    return [bool(notice.about) for notice in found]


def due_times(use_case: UseCase, _: Path) -> object:
    """When each job runs next after its last good run, and after one and three failures."""
    good = JobState(done=NOW)
    failed = [JobState(done=NOW, tried=NOW, failures=n, trouble="no") for n in (1, 3)]
    return {
        job: [
            first_due(use_case, job, good, START, NOW),
            *(next_try(use_case, job, state, START, NOW) for state in failed),
        ]
        for job in use_case.jobs
    }


def deadlines(use_case: UseCase, _: Path) -> object:
    return deadline_s("monitor", use_case), deadline_s("retrain", use_case)


def batch_rows(use_case: UseCase, folder: Path) -> object:
    """The keys of the rows that a batch reads, from files or from two tables."""
    tables = Tables(str(folder), "made")
    for name, n_rows in BATCH_TABLES.items():
        tables.append(name, pa.table({"id": range(n_rows)}))
    rows = open_rows(place_of_rows("", "", use_case), use_case, tables, None)
    return [part.rows.column("id").to_pylist() for part in rows.parts()]


def batch_options(use_case: UseCase, _: Path) -> object:
    return ScoreOptions.of(use_case, "", None, None)


def label_files(use_case: UseCase, _: Path) -> object:
    return label_pattern(JobContext("made", use_case, Settings(root="/tables")))


def retrain_decision(use_case: UseCase, _: Path) -> object:
    """Five days after the last one, with labels that look a bit made up."""
    verdict = DriftVerdict(
        "DRIFT", ("Fired.",), drifting=("columns:size", "performance"), labelled=True
    )
    drift = ReportedWindow("run", "February", NOW, verdict)
    day, next_day = date(2024, 3, 8), date(2024, 3, 9)
    last = datetime(2024, 3, 5, tzinfo=UTC)
    labels = LabelledAnswers(
        date(2024, 2, 1), next_day, 2000, LabelledWindow(day, next_day, 300),
        shift=0.15, shifted="March", key="eve", key_share=0.4, key_window="March",
    )  # fmt: skip
    called = called_for([drift], RetrainHistory(last), NOW, use_case, PersonalRequest())
    return called, allowed(called, labels, use_case, PersonalRequest())


def label_days(use_case: UseCase, folder: Path) -> object:
    """The labelled answers of 1 and 20 February that a retraining would take."""
    tables = Tables(str(folder), use_case.name)
    names: Mapping[Any, pd.DataFrame] = {"training": made.rows(50, 3), "holdout": made.rows(50, 4)}
    seen = {}
    for name, rows in names.items():
        table = pa.Table.from_pandas(rows, preserve_index=False)
        table = table.select(list(use_case.columns)).cast(arrow_schema(use_case))
        hashes = row_hashes(table)
        whole = table.append_column(ROW_HASH, pa.array(hashes))
        seen[name] = tables.publish(name, whole, content_hash(hashes))
    for seed, day in ((1, "2024-02-01"), (2, "2024-02-20")):
        made.answer(tables, use_case, made.rows(40, seed, day))
        made.label(tables, made.rows(40, seed, day))
    late = datetime(2024, 7, 1, tzinfo=UTC)
    found = label_figures(tables, use_case, ChampionTables(**seen), late)
    return found.start, found.end, found.rows
