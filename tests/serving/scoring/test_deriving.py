"""Features are computed alike wherever a row is seen: fit, HTTP, batch, log, monitoring, MLflow."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from contract.errors import Refused
from contract.store.frames import (
    derived_columns,
    feature_frame,
    feature_rows,
    input_frame,
    plain_values,
)
from contract.store.predictions import INPUT
from contract.store.schema import TYPES
from contract.store.tables import Tables
from contract.use_case.features import derivation
from contract.use_case.loader import frozen, parse_use_case
from contract.use_case.model import UseCase
from monitoring.windows.rows import WindowReader
from monitoring.windows.window import Window
from pipelines.compiler.compile import write_scorer
from pipelines.model.fit import fit_pipeline
from pipelines.model.fitted import signature
from pipelines.package import add_reference, seal
from serving.log.prediction_record import PredictionRecord, schema_hash
from serving.log.record import RecordSchema, decode, encode, kind_of
from serving.log.segment_frames import VERSION, Frame
from serving.protocols.protocol import BodyLimits
from serving.protocols.registry import PROTOCOLS
from serving.requests.arrow_columns import check_batch
from serving.requests.request import Request
from serving.scoring.deriving_step import answering
from serving.scoring.score_batch import score_batch
from serving.scoring.sklearn_scorer import open_pipeline, pipeline_scorer
from serving.scoring.trusted_types import TRUSTED_TYPES
from serving.scoring.version import Golden, ServedVersion, check_golden, load_version
from serving.shipping.prediction_rows import prediction_rows

DECLARED = """
name: shop
title: Orders that come back
task: binary
source: {csv: orders.csv}
keys: [id]
event_time: ordered
time_zone: America/New_York
target: returned
positive: true
columns:
  id: {type: integer}
  ordered: {type: timestamp, parts: [hour, day_of_week, day_of_year, month]}
  promised: {type: timestamp, nullable: true, parts: [minute]}
  returned: {type: boolean}
  price: {type: number, nullable: true}
  items: {type: integer}
  rank: {type: integer, nullable: true, feature: false}
  note: {type: string, nullable: true, feature: false}
  shop: {type: string}
  gift: {type: boolean, nullable: true}
derived:
  wait: {function: difference, of: [promised, ordered], unit: h}
  each: {function: ratio, of: [price, items]}
  log_price: {function: log, of: price}
  band: {function: bins, of: price, edges: [0, 10, 99.5]}
  rank_band: {function: bins, of: rank, edges: [0, 1000], encode: ordinal}
  written: {function: length, of: note}
  unsaid: {function: condition, of: note, missing: true}
  late_hour: {function: condition, of: ordered_hour, at_least: 18}
  is_gift: {function: condition, of: gift, one_of: [true]}
split: {by: random}
estimator: {path: sklearn.ensemble.HistGradientBoostingClassifier, parameters: {max_iter: 20}}
evaluation: {metric: roc_auc, slices: [band]}
monitoring: {effect_limits: {written: 0.2}}
"""
LIMITS = BodyLimits(1000, 10**6)
COLUMNS = parse_use_case(DECLARED, "shop.yaml", Path()).columns
# What JSON, a table and a frame all hold: times of pandas, integers of float64.
EXACT = st.integers(-(2**53) + 1, 2**53 - 1)
MOMENTS = st.datetimes(datetime(1700, 1, 1), datetime(2261, 1, 1), timezones=st.just(UTC))
NUMBERS = st.floats(-1e15, 1e15) | st.sampled_from([0.0, -0.0, 1.0, 10.0, 99.5])
DST = [datetime(2024, 3, 10, 6, tzinfo=UTC), datetime(2024, 11, 3, 5, tzinfo=UTC)]
NEAR_DST = st.builds(
    lambda start, minutes: start + timedelta(minutes=minutes),
    st.sampled_from(DST),
    st.integers(0, 180),
)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "ordered": MOMENTS | NEAR_DST,
    "promised": st.none() | MOMENTS | NEAR_DST,
    "price": st.none() | NUMBERS,
    "items": EXACT | st.integers(-2, 2),
    "rank": st.none() | EXACT,
    "note": st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "shop": st.sampled_from(["north", "south", "unseen"]),
    "gift": st.none() | st.booleans(),
}
ROWS = st.lists(st.fixed_dictionaries(dict(VALUES)), min_size=1, max_size=4)


@dataclass(frozen=True, repr=False)  # too long for Hypothesis to show
class Made:
    """A fitted use case, its package and the rows that it was made of."""

    case: UseCase
    model: Pipeline
    served: ServedVersion
    rows: pa.Table
    folder: Path


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of a store holds them."""
    names = list(rows[0])
    return pa.table({n: pa.array([row[n] for row in rows], TYPES[COLUMNS[n].type]) for n in names})


def orders(n_rows: int = 300) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return [
        {
            "id": at,
            "ordered": (ordered := start + timedelta(minutes=int(random.integers(0, 500_000)))),
            "promised": ordered + timedelta(hours=float(random.normal())) if at % 9 else None,
            "price": float(random.normal() * 50 + 40) if at % 7 else None,
            "items": int(random.integers(-1, 4)),
            "rank": int(random.integers(-100, 5000)) if at % 5 else None,
            "note": "x" * int(random.integers(0, 9)) if at % 3 else None,
            "shop": ["north", "south"][at % 2],
            "gift": [True, False, None][at % 3],
            "returned": bool(random.random() < 0.3 + 0.4 * (ordered.hour < 6)),
        }
        for at in range(n_rows)
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("shop") / "package"
    folder.mkdir()
    case = parse_use_case(DECLARED, "shop.yaml", folder)
    rows = table(orders())
    target = rows.column("returned").to_numpy()
    model = fit_pipeline(case, case.estimator.parameters, feature_frame(rows, case), target)
    mlflow.sklearn.save_model(
        answering(model, case),
        folder / "mlflow",
        serialization_format="skops",
        skops_trusted_types=list(TRUSTED_TYPES),
        signature=signature(case),
        input_example=input_frame(rows.slice(0, 3), case),
        pip_requirements=["mlflow"],
    )
    (folder / "model.skops").write_bytes((folder / "mlflow/model.skops").read_bytes())
    assert write_scorer(folder / "scorer", model, case, rows).not_compiled == ""
    (folder / "use_case.yaml").write_text(frozen(case), encoding="utf-8")
    seal(folder)
    return Made(case, model, load_version(folder, "shop", "1"), rows, folder)


def asked(protocol: str, served: ServedVersion, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The rows as the codec of a protocol gives them to the scorer."""
    (found,) = [p for p in PROTOCOLS if p.name == protocol]
    columns = {name: [row[name] for row in rows] for name in served.use_case.inputs}
    golden = Golden(columns, served.scorer.score(columns))
    request = found.golden_request(served, golden)
    body = json.dumps(request.body, default=datetime.isoformat).encode()
    call = Request("POST", request.path, {b"content-type": b"application/json"}, "id", None, 0.0)
    checked, _ = found.codec(served, LIMITS).decode(call, body)
    return dict(checked.features)


def logged(case: UseCase, columns: dict[str, list[Any]], n_rows: int) -> pa.Table:
    """The rows as the table `predictions` holds them, after the spool."""
    now = datetime(2024, 6, 1, tzinfo=UTC)
    record = PredictionRecord(
        request_id="r",
        model="shop",
        version="1",
        schema_hash=schema_hash(case),
        features=columns,
        keys={"id": [None] * n_rows},
        event_time=list(columns["ordered"]),
        prediction=[True] * n_rows,
        probability=None,
        flags=[[] for _ in range(n_rows)],
        latency_ms=1.0,
        logged_time=now,
        key_id=None,
    )
    read = decode(Frame(0, kind_of(record), VERSION, n_rows, encode(record)))
    assert isinstance(read, PredictionRecord)
    return prediction_rows(RecordSchema.of(case), [read])


def bits(values: Sequence[Any]) -> list[Any]:
    """Values to compare to the bit; a missing one is None, numbers are float64 as in the graph."""
    return [
        None
        if value is None or (isinstance(value, float) and math.isnan(value))
        else value
        if isinstance(value, str)
        else np.float64(value).tobytes()
        for value in values
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_every_path_computes_the_same_bits_and_gives_the_same_answers(
    made: Made, rows: list[dict[str, Any]]
) -> None:
    case, served = made.case, made.served
    derive = derivation(case)
    assert derive is not None
    columns = {name: [row[name] for row in rows] for name in case.inputs}
    plain = derive(columns)
    expected = {name: bits(plain[name]) for name in case.features}
    answer = served.scorer.score(columns)

    stored = table(rows)
    by_arrow = feature_rows(stored, case)
    by_frame = feature_frame(stored, case)
    step = answering(made.model, case).steps[0][1]
    by_mlflow = step.transform(input_frame(stored, case))
    tables = Tables("unused", "shop")
    reader = WindowReader(tables, case, Window(title="all", where=(), table_version=0), "1")
    inputs = logged(case, columns, len(rows)).column("inputs").combine_chunks()
    sent = pa.table({INPUT + f.name: inputs.field(f.name) for f in inputs.type})
    by_monitor = reader._with_features(sent, list(case.features))
    for name in case.features:
        assert bits(by_arrow.column(name).to_pylist()) == expected[name]
        assert bits(by_frame[name].tolist()) == expected[name]
        assert bits(by_mlflow[name].tolist()) == expected[name]
        assert bits(by_monitor.column(INPUT + name).to_pylist()) == expected[name]

    batch = check_batch(stored.combine_chunks().to_batches()[0], case).rows
    by_batch = derived_columns({name: batch.column(name) for name in case.inputs}, derive)
    for name in case.features:
        assert bits(by_batch[name].to_pylist()) == expected[name]
    prediction, *chances = score_batch(served.scorer, batch, case).to_pydict().values()
    assert prediction == answer.prediction
    assert list(map(list, zip(*chances, strict=True))) == answer.probability
    in_lists = {name: plain_values(batch.column(name)) for name in case.inputs}
    ways = [in_lists, *(asked(p.name, served, rows) for p in PROTOCOLS)]
    for given_columns in ways:
        found = derive(given_columns)
        assert {name: bits(found[name]) for name in case.features} == expected
        assert served.scorer.score(given_columns) == answer
    by_pipeline = pipeline_scorer(made.model, case).score(plain)
    assert by_pipeline.prediction == answer.prediction


def test_the_compiled_scorer_is_proven_and_answers_its_golden_rows(made: Made) -> None:
    check_golden(made.served)
    assert made.served.golden is not None
    assert set(made.served.golden.columns) == set(made.case.inputs)
    assert set(made.served.scorer.features) == set(made.case.inputs)
    proof = json.loads((made.folder / "scorer/parity.json").read_text(encoding="utf-8"))
    assert proof["holds"]
    assert proof["cases"]["nulls"]["rows"] > 0


def test_the_logged_model_takes_what_callers_send_and_ours_takes_its_step_off(made: Made) -> None:
    loaded = mlflow.pyfunc.load_model(str(made.folder / "mlflow"))
    assert loaded.metadata.signature.inputs.input_names() == list(made.case.inputs)
    sent = input_frame(made.rows, made.case)
    columns = {name: made.rows.column(name).to_pylist() for name in made.case.inputs}
    assert list(loaded.predict(sent)) == made.served.scorer.score(columns).prediction
    assert [name for name, _ in open_pipeline(made.folder, None).steps] == ["encode", "estimator"]


def test_the_logged_model_can_be_fitted_anew_on_what_callers_send(made: Made) -> None:
    sent, target = input_frame(made.rows, made.case), made.rows.column("returned").to_numpy()
    logged = answering(made.model, made.case)
    check_is_fitted(logged.steps[0][1])
    again = clone(logged).fit(sent, target)
    assert list(again.predict(sent)) == list(logged.predict(sent))


def test_a_naive_time_in_a_frame_is_read_by_the_clock_of_the_zone(made: Made) -> None:
    step = answering(made.model, made.case).steps[0][1]
    sent = input_frame(made.rows.slice(0, 2), made.case)
    moments = pd.to_datetime(sent["ordered"])
    local = moments.dt.tz_convert("America/New_York").dt.tz_localize(None)
    for same in (moments, local, local.map(str)):
        found = step.transform(sent.assign(ordered=same))
        pd.testing.assert_frame_equal(found, step.transform(sent))


def test_a_frame_that_does_not_fit_is_refused_by_its_column(made: Made) -> None:
    step = answering(made.model, made.case).steps[0][1]
    sent = input_frame(made.rows, made.case)
    with pytest.raises(Refused, match="gift: boolean expected, found double"):
        step.transform(sent.assign(gift=0.5))
    with pytest.raises(Refused, match="note is missing"):
        step.transform(sent.drop(columns="note"))


def test_the_reference_holds_what_the_model_sees(made: Made, tmp_path: Path) -> None:
    add_reference(tmp_path / "reference", made.case, made.rows, made.rows, made.served.scorer)
    kept = pd.read_parquet(tmp_path / "reference/inputs.parquet")
    assert list(kept) == list(made.case.features)
    assert kept["ordered_hour"].between(0, 23).all()
