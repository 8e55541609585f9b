"""Task, keys, event time and split: tables of columns and what follows from them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from contract.errors import BadInput
from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.columns.types import TypedColumn
from pipelines.proposing.inferred import Inferred
from pipelines.proposing.problem.amounts import amounts_of
from pipelines.proposing.problem.estimator import estimator_of
from pipelines.proposing.problem.event_time import event_time_of
from pipelines.proposing.problem.keys import keys_of
from pipelines.proposing.problem.split import split_of
from pipelines.proposing.problem.task import task_of

N = 100
KINDS = {int: "integer", float: "number", str: "string", bool: "boolean", datetime: "timestamp"}
START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS: list[Any] = [START + timedelta(hours=n) for n in range(N)]
NOISE: list[Any] = np.random.default_rng(0).normal(size=N).tolist()


def column(name: str, values: list[Any], naive: bool = False) -> SeenColumn:
    kind: Any = KINDS[type(next(v for v in values if v is not None))]
    return SeenColumn(
        TypedColumn(name, Inferred(kind, ""), pa.chunked_array([pa.array(values)]), naive=naive)
    )


@pytest.mark.parametrize(
    ("values", "task", "metric", "positive", "asked"),
    [
        ([0, 0, 1] * 20, "binary", "roc_auc", 1, False),
        ([1] * 98 + [0] * 2, "binary", "average_precision", 0, False),
        ([True, False, False] * 9, "binary", "roc_auc", True, False),
        (["a", "b", "b"] * 9, "binary", "roc_auc", "a", False),
        (["a", "b", "c"] * 9, "multiclass", "log_loss", None, False),
        ([1, 2, 3] * 20, "multiclass", "log_loss", None, True),
        ([*range(15)] * 2, "regression", "rmse", None, True),
        ([*range(21)] * 20, "regression", "rmse", None, False),
        (NOISE, "regression", "rmse", None, False),
    ],
)
def test_a_task(values: list[Any], task: str, metric: str, positive: object, asked: bool) -> None:
    found = task_of(column("y", values), {})
    told = (found.task.value, found.metric.value, found.positive and found.positive.value)
    assert (*told, bool(found.questions)) == (task, metric, positive, asked)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 1, None], "one value in all 2 rows"),
        (HOURS, "is a time"),
        ([f"w{n}" for n in range(N)], "hardly a class comes twice"),
    ],
)
def test_no_target(values: list[Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        task_of(column("y", values), {})


ID = [n * 7 for n in range(N)]
KEYS: list[tuple[dict[str, list[Any]], tuple[str, ...]]] = [
    ({"customer_id": ID, "x": NOISE}, ("customer_id",)),
    ({"PassengerId": ID}, ("PassengerId",)),
    ({"width": ID}, ()),  # unique, and a measure
    ({"nth": [*range(N)]}, ("nth",)),
    ({"at": [f"{n}.1." for n in range(N)], "nth": [*range(701, 701 + N)]}, ("nth",)),
    ({"at": [f"{n}.1." for n in range(N)], "order": ID}, ("order",)),
    ({"border": ID}, ()),
    ({"x": NOISE}, ()),
    ({"name": [f"n{n}" for n in range(N)]}, ("name",)),
    ({"mail": [f"n{n}@example.org" for n in range(N)]}, ()),
    ({"version": ID}, ()),  # a name of ours beside keys
    ({"at": HOURS}, ("at",)),
    ({"shop_id": [0, 1] * 50, "at": [HOURS[n // 2] for n in range(N)]}, ("shop_id", "at")),
    ({"colour": ["a", "b"] * 50, "at": [HOURS[n // 2] for n in range(N)]}, ()),
    ({"x": NOISE, "at": [HOURS[n // 2] for n in range(N)]}, ()),
    ({"x": NOISE, "at": HOURS[:1] * N}, ()),  # one moment for all
    ({"shop_id": [0, 1] * 50, "at": [HOURS[n // 4] for n in range(N)]}, ()),
]


@pytest.mark.parametrize(("columns", "keys"), KEYS)
def test_keys(columns: dict[str, list[Any]], keys: tuple[str, ...]) -> None:
    seen = [column(name, values) for name, values in columns.items()]
    assert keys_of(seen, "y", "at" if "at" in columns else None).value == keys


def test_event_times_are_asked_where_rows_don_t_say() -> None:
    sold, sent = column("sold", HOURS), column("sent", HOURS)
    empty, born = column("paid", [None, *HOURS[1:]]), column("birth_date", HOURS)
    assert event_time_of([sold, empty, born], "y", {}).column.value == "sold"
    assert event_time_of([empty], "y", {}).column.value is None
    several = event_time_of([sold, sent], "y", {})
    assert [q.name for q in several.questions] == ["event_time"]
    assert event_time_of([sold, sent], "y", {"event_time": "sent"}).column.value == "sent"
    assert event_time_of([sold, sent], "y", {"event_time": "none"}).column.value is None
    naive = event_time_of([column("sold", HOURS, naive=True)], "y", {})
    assert [q.name for q in naive.questions] == ["time_zone"]


@pytest.mark.parametrize(
    ("name", "values", "how", "asked"),
    [
        ("patient_id", [n // 4 for n in range(N)], "group", True),
        ("store", [f"s{n % 20}" for n in range(N)], "group", True),
        ("store", ["a", "b"] * 50, "random", False),  # too few to hold some out
        ("colour", [f"s{n % 20}" for n in range(N)], "random", False),
    ],
)
def test_a_split(name: str, values: list[Any], how: str, asked: bool) -> None:
    found = split_of([column(name, values)], (), "y", None, {})
    assert (found.how.value["by"], bool(found.questions)) == (how, asked)


def test_rows_of_known_groups_are_drawn_where_a_person_says_so() -> None:
    patients = column("patient_id", [n // 4 for n in range(N)])
    found = split_of([patients], (), "y", None, {"split": "random"})
    assert (found.how.value["by"], found.how.reason, found.group) == (
        "random",
        "as answered; sure",
        None,
    )


@pytest.mark.parametrize(
    ("values", "path", "early"),
    [
        ([*range(499)], "linear_model.Ridge", None),
        (["a", "b"] * 249, "linear_model.LogisticRegression", None),
        ([*range(500)], "ensemble.HistGradientBoostingRegressor", True),
        (["a"] * 490 + ["b"] * 10, "ensemble.HistGradientBoostingClassifier", True),
        (["a"] * 491 + ["b"] * 9, "ensemble.HistGradientBoostingClassifier", False),
    ],
)
def test_an_estimator_fits_the_rows_there_are(
    values: list[Any], path: str, early: bool | None
) -> None:
    target = column("y", values)
    found = estimator_of(target, task_of(target, {})).value
    assert found["path"] == f"sklearn.{path}"
    assert found["parameters"].get("early_stopping") is early


@pytest.mark.parametrize(
    ("values", "by_time", "least", "said"),
    [
        (["a", "b"] * 50, False, 5, "about 20 rows are held out"),
        (["a"] * 20 + ["a", "b"] * 40, True, 5, "about 20 rows are held out"),
        (["b"] * 12 + ["a"] * 88, False, 1, "about 20 rows are held out"),
        (["b"] * 12 + ["a"] * 88, True, 0, "none of the rarest class"),
        ([None, "b"] * 6 + ["a"] * 84 + ["b"] * 4, True, 2, "about 18 rows are held out"),
    ],
)
def test_rows_of_the_rarest_class_are_those_that_will_be_held_out(
    values: list[Any], by_time: bool, least: int, said: str
) -> None:
    target = column("y", values)
    time = column("t", HOURS) if by_time else None
    gates = amounts_of(target, task_of(target, {}), 0.2, time).gates
    assert (gates.value["min_class_rows"], said in gates.reason) == (least, True)
