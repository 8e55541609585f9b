"""A window is measured on the rows whose labels have come, and estimated on all of them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from monitoring.measures.compare import ColumnSummaries, frozen_columns
from monitoring.measures.count import WindowCounts
from monitoring.measures.observe import ObservedWindow
from monitoring.measures.tally import summarise
from monitoring.verdict.judge import SLICE_MIN_LABELS, JudgedWindow, judge, measure, slice_columns
from monitoring.windows.reference import Reference, Rows
from monitoring.windows.versions import ServedModel
from tests.conftest import made_use_case
from tests.support import monitored as made

NOW = datetime(2024, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return made.reference(2000)


@pytest.fixture
def use_case(home: Path) -> UseCase:
    declared = made_use_case(home)
    policy = declared.monitoring.model_copy(update={"min_rows": 30, "min_labels": 100})
    return declared.model_copy(update={"monitoring": policy})


def window(n_rows: int, labelled: int, seed: int = 1, shift: float = 0.0) -> Rows:
    """Answers by the chance; only the last of them have labels."""
    found = made.rows(n_rows, seed, shift=shift)
    label = found["late"].astype(object)
    label[: n_rows - labelled] = None
    answers = pd.DataFrame(
        {
            "label": label,
            "prediction": found["chance"] > 0.5,
            "probability": [[1 - p, p] for p in found["chance"]],
            "label_time": [NOW] * n_rows,
        }
    )
    return Rows(found[made.FEATURES], answers)


def scores(rows: pd.DataFrame) -> list[float]:
    return [float(chance) for _, chance in rows["probability"]]


def test_what_is_realised_is_scikit_learn_s_on_the_rows_with_labels(
    use_case: UseCase, reference: Reference
) -> None:
    sample = window(400, labelled=150)
    found = measure(sample, reference, use_case)
    known = sample.answers.tail(150)
    label = known["label"].astype(bool)
    assert found.rows == 400
    assert found.realised["roc_auc"] == pytest.approx(roc_auc_score(label, scores(known)))
    assert found.realised["accuracy"] == pytest.approx(accuracy_score(label, known["prediction"]))
    fall = found.realised_fall
    assert fall
    assert (fall.rows, fall.labels, fall.metric) == (400, 150, "roc_auc")
    assert fall.value == found.realised["roc_auc"]
    held_out = reference.holdout.answers
    before = roc_auc_score(held_out["label"], held_out["probability_True"])
    assert fall.reference == pytest.approx(before)


def test_what_is_estimated_is_of_all_rows_and_its_error_of_those_with_labels(
    use_case: UseCase, reference: Reference
) -> None:
    sample = window(400, labelled=150)
    found = measure(sample, reference, use_case)
    part = Rows(sample.inputs.tail(150), sample.answers.tail(150))
    alone = measure(part, reference, use_case)
    assert found.estimated != alone.estimated
    assert found.error.keys() <= found.estimated.keys() & found.realised.keys()
    for name, error in found.error.items():
        assert error == pytest.approx(alone.estimated[name] - found.realised[name]), name
    assert {"roc_auc", "accuracy"} <= found.error.keys()
    fall = found.estimated_fall
    assert fall
    assert (fall.rows, fall.labels) == (400, 400)
    assert fall.value == found.estimated["roc_auc"]
    # Compared with what is estimated of the holdout, not with what was measured on it.
    same = Rows(reference.holdout.inputs, as_window(reference))
    there = measure(same, reference, use_case)
    assert there.estimated_fall
    assert there.estimated_fall.reference == pytest.approx(there.estimated["roc_auc"])
    assert there.realised_fall
    assert there.realised_fall.reference == pytest.approx(there.realised["roc_auc"])


def as_window(reference: Reference) -> pd.DataFrame:
    """The holdout's answers as a window has them."""
    answers = reference.holdout.answers
    chances = answers[["probability_False", "probability_True"]].to_numpy().tolist()
    return answers[["label", "prediction"]].assign(probability=pd.Series(chances))


def test_without_labels_only_the_estimate_speaks(use_case: UseCase, reference: Reference) -> None:
    found = measure(window(2000, labelled=0), reference, use_case)
    assert (dict(found.realised), dict(found.error), found.realised_fall) == ({}, {}, None)
    assert found.estimated_fall
    truth = measure(window(2000, labelled=2000), reference, use_case).realised
    assert found.estimated["roc_auc"] == pytest.approx(truth["roc_auc"], abs=0.02)


def test_without_answers_nothing_is_said(use_case: UseCase, reference: Reference) -> None:
    found = measure(window(0, labelled=0), reference, use_case)
    assert (found.rows, dict(found.estimated), found.estimated_fall) == (0, {}, None)


def test_slices_have_a_metric_from_thirty_labels_on(
    use_case: UseCase, reference: Reference
) -> None:
    sample = window(400, labelled=400)
    colour = np.array(["blue"] * 400, dtype=object)
    colour[:SLICE_MIN_LABELS], colour[-SLICE_MIN_LABELS + 1 :] = "red", "green"
    sample = Rows(sample.inputs.assign(colour=colour), sample.answers)
    found = {s.value: s for s in measure(sample, reference, use_case).slices}
    assert [found[c].labels for c in ("blue", "red", "green")] == [341, 30, 29]
    red = sample.answers.head(30)
    assert found["red"].metric == pytest.approx(
        roc_auc_score(red["label"].astype(bool), scores(red))
    )
    assert found["green"].metric is None
    held_out = reference.holdout
    share = (held_out.inputs["colour"] == "red").mean()
    assert found["red"].reference_share == pytest.approx(share)


def test_slices_are_the_declared_ones_that_both_sides_have(use_case: UseCase) -> None:
    def told(slices: tuple[str, ...] | None, *window: str) -> list[str]:
        policy = use_case.monitoring.model_copy(update={"slices": slices})
        asked = use_case.model_copy(update={"monitoring": policy})
        holdout = pd.DataFrame(columns=["colour", "group"])
        return slice_columns(asked, pd.DataFrame(columns=list(window)), holdout)

    assert told(None, "colour", "group") == ["colour"]  # as the evaluation's
    assert told(("group", "colour"), "colour", "group") == ["group", "colour"]
    assert told(("group", "colour"), "group") == ["group"]
    assert told(("size",), "size") == []
    assert told((), "colour") == []


# The verdict


def observed(use_case: UseCase, reference: Reference | None, sample: Rows) -> ObservedWindow:
    frozen = frozen_columns(reference or made.reference(100), use_case)
    inputs = {name: pa.Array.from_pandas(sample.inputs[name]) for name in frozen.features}
    features = {n: summarise(s.cells, inputs[n]) for n, s in frozen.features.items()}
    assert frozen.prediction
    said = summarise(frozen.prediction.cells, pa.array(scores(sample.answers)))
    columns = ColumnSummaries(features, said, None)
    return ObservedWindow(
        served=ServedModel("1", use_case, reference),
        title="a window",
        start=None,
        end=None,
        counts=WindowCounts(len(sample), NOW, NOW, columns),
        sample=sample,
        frozen=frozen if reference else None,
        schema={},
    )


def judged(
    use_case: UseCase, reference: Reference | None, sample: Rows, **schema: str
) -> JudgedWindow:
    return judge(replace(observed(use_case, reference, sample), schema=schema), [])


@pytest.mark.parametrize(("n_rows", "state"), [(29, "NOT_ENOUGH_DATA"), (30, "OK")])
def test_a_window_is_judged_from_min_rows_on(
    use_case: UseCase, reference: Reference, n_rows: int, state: str
) -> None:
    found = judged(use_case, reference, window(n_rows, labelled=0))
    assert found.verdict.state == state
    assert found.evidence.rows == n_rows
    assert (found.performance is None) == (state == "NOT_ENOUGH_DATA")
    assert found.evidence.reference


def test_without_a_reference_a_window_is_counted_alone(use_case: UseCase) -> None:
    found = judged(use_case, None, window(200, labelled=200))
    assert (found.verdict.state, found.evidence.reference) == ("NO_REFERENCE", False)
    assert (found.performance, found.frozen, found.notes) == (None, None, {})


@pytest.mark.parametrize(("labelled", "spoken"), [(99, False), (100, True)])
def test_labels_are_compared_once_enough_have_come(
    use_case: UseCase, reference: Reference, labelled: int, spoken: bool
) -> None:
    found = judged(use_case, reference, window(200, labelled, shift=2.0))
    assert (found.window.label is not None) == spoken
    assert ("label" in found.verdict.signals) == spoken
    assert ("performance" in found.verdict.signals) is False
    assert {"prediction", "columns:size"} <= {*found.verdict.signals}
    if found.window.label:
        assert found.window.label.rows == labelled


def test_what_is_odd_about_a_column_is_noted(use_case: UseCase, reference: Reference) -> None:
    sample = window(200, labelled=0)
    sample = Rows(sample.inputs.assign(size=np.nan), sample.answers)
    found = judged(use_case, reference, sample, group="missing")
    assert found.notes == {"size": "only nulls in the window", "group": "missing"}
    assert found.evidence.schema == ("missing",)
    assert found.verdict.state == "SCHEMA_CHANGED"


def test_a_main_metric_that_is_not_estimated_has_no_estimated_fall(home: Path) -> None:
    declared = made_use_case(home)
    columns = declared.columns | {"late": Column(type="number")}
    main = declared.evaluation.model_copy(update={"metric": "r2"})
    changes = {"task": "regression", "columns": columns, "positive": None, "evaluation": main}
    use_case = declared.model_copy(update=changes)
    known = window(400, labelled=400)
    number = known.inputs["size"] * 2
    answers = known.answers.assign(label=number + 0.1 * (number > 0), prediction=number)
    sample = Rows(known.inputs, answers)
    frozen = answers[["label", "prediction"]]
    found = measure(sample, Reference(known.inputs, Rows(known.inputs, frozen), {}), use_case)
    assert found.realised_fall is not None
    assert found.realised_fall.metric == "r2"
    assert found.estimated_fall is None
    assert {"mae", "rmse"} <= found.estimated.keys()
