"""What a backtest counts is what counting row by row gives, whatever parts the traffic comes in."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.store.predictions import INPUT
from contract.store.schema import TYPES
from pipelines.model.differences import AnswerDifferences, LabelledSide, compare, figures
from serving.scoring.version import ServedVersion
from tests.support.compiled import compiled, declared, fitted, made

TREES = "sklearn.ensemble.HistGradientBoosting"
CHANCE = st.floats(0, 1)
LISTED = st.lists(CHANCE, min_size=2, max_size=2) | st.none() | st.just([0.5, 0.2, 0.3])
PLACES = st.integers(0, 399)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[ServedVersion]:
    """A classifier and a regression."""
    found = []
    for task, path in (("binary", f"{TREES}Classifier"), ("regression", f"{TREES}Regressor")):
        case, folder = declared(task, path), Path(tmp_path_factory.mktemp(task))
        scorer = compiled(fitted(case, {"max_iter": 5}), case, folder)
        found.append(ServedVersion("made", "1", "", case, scorer))
    return found


def traffic(served: ServedVersion, rows: list[dict[str, Any]]) -> pa.Table:
    case, kind = served.use_case, TYPES[served.use_case.answer_type]
    columns: dict[str, Any] = {
        "version": pa.array([row["version"] for row in rows], pa.string()),
        "prediction": pa.array([row["prediction"] for row in rows], kind),
        "probability": pa.array([row["probability"] for row in rows], pa.list_(pa.float64())),
        "label": pa.array([row["label"] for row in rows], kind),
    }
    for name in served.scorer.features:
        values = [None if row["gone"] == name else made()[name][row["at"]] for row in rows]
        columns[INPUT + name] = pa.array(values, TYPES[case.columns[name].type])
    return pa.table(columns)


def by_hand(served: ServedVersion, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The same row by row."""
    needed = [n for n in served.scorer.features if not served.use_case.columns[n].nullable]
    rows = [row for row in rows if row["gone"] not in needed]
    different, distances = 0, []
    changes: dict[str, int] = {}
    for row in rows:
        sent = {
            name: [None if row["gone"] == name else made()[name][row["at"]]]
            for name in served.scorer.features
        }
        answer, was = served.scorer.score(sent), row["probability"]
        (now,) = answer.prediction
        if now != row["prediction"]:
            different += 1
            change = f"{row['prediction']} → {now}"
            changes[change] = changes.get(change, 0) + 1
        if answer.probability is None:
            distances.append(abs(row["prediction"] - now))
        elif was and len(was) == 2:
            distances.append(np.mean(np.abs(np.subtract(was, answer.probability[0]))))
    return {
        "rows": len(rows),
        "different": different,
        "compared": len(distances),
        "distance": pytest.approx(sum(distances)),
        "changes": changes if served.scorer.classes else {},
    }


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_the_counts_are_those_of_single_rows(
    versions: list[ServedVersion], data: st.DataObject
) -> None:
    for served in versions:
        answer = st.booleans() if served.scorer.classes else CHANCE
        row = st.fixed_dictionaries(
            {
                "at": PLACES,
                "gone": st.none() | st.sampled_from(served.scorer.features),
                "version": st.sampled_from("12"),
                "prediction": answer,
                "probability": LISTED if served.scorer.classes else st.none(),
                "label": st.none() | answer,
            }
        )
        rows, cut = data.draw(st.lists(row, max_size=8)), data.draw(st.integers(0, 8))
        kept, table = AnswerDifferences(), traffic(served, rows)
        for part in (table.slice(0, cut), table.slice(cut)):
            compare(kept, part, served)
        expected = by_hand(served, rows)
        assert {name: getattr(kept, name) for name in expected} == expected
        assert kept.rows + kept.unanswerable == len(rows)
        answered = traffic(served, rows).column("label").to_pylist()
        gone = {n for n in served.scorer.features if not served.use_case.columns[n].nullable}
        known = [
            label
            for label, row in zip(answered, rows, strict=True)
            if label is not None and row["gone"] not in gone
        ]
        assert [value for part in kept.labels for value in part.tolist()] == known
        sides = zip(kept.labels, kept.given, kept.would_be, strict=True)
        for labels, was, now in sides:
            assert len(labels) == len(was.prediction) == len(now.prediction)
            assert (now.probability is not None) == bool(served.scorer.classes)


def test_figures_are_those_of_answers_with_the_same_classes() -> None:
    numbers, words = (
        declared("regression", f"{TREES}Regressor"),
        declared("binary", f"{TREES}Classifier"),
    )
    label = np.array([1.0, 2.0, 4.0])
    sides = [LabelledSide(label[:2], None), LabelledSide(label[2:] + 3, None)]
    found = figures(numbers, [label[:2], label[2:]], sides, ())
    assert found["mae"] == pytest.approx(1.0)
    assert figures(numbers, [], [], ()) == {}
    classes = (False, True)
    known = LabelledSide(np.array([True]), np.array([[0.2, 0.8]]))
    other = LabelledSide(np.array([False]), None)  # of a version that told more classes apart
    labels = [np.array([True]), np.array([False])]
    assert figures(words, labels, [known, other], classes) == {}
    assert figures(words, labels[:1], [known], classes)["accuracy"] == 1.0
