"""Performance of a regression is estimated from what its losses were on the holdout."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contract.statistics.metrics import Scored, point
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from monitoring.measures.estimate import estimate_of
from monitoring.measures.expected_loss import loss_model
from monitoring.windows.reference import Rows
from tests.conftest import made_use_case

COLUMNS = {
    "size": Column(type="number", nullable=True),
    "colour": Column(type="string", nullable=True),
    "new": Column(type="boolean", nullable=True),
    "late": Column(type="number"),
}


@pytest.fixture
def use_case(home: Path) -> UseCase:
    declared = made_use_case(home)
    columns = {**declared.columns, **COLUMNS}
    return declared.model_copy(update={"task": "regression", "columns": columns})


def rows(n_rows: int, seed: int, blue: float = 0.2, shift: float = 0.0) -> Rows:
    """Answers that are off by as much as `size` says, and twice as much for what is blue."""
    random = np.random.default_rng(seed)
    size = np.abs(random.normal(size=n_rows)) + shift
    colour = np.where(random.random(n_rows) < blue, "blue", "red").astype(object)
    new = [True if even else None for even in random.random(n_rows) < 0.5]
    prediction = random.normal(size=n_rows)
    off = random.normal(size=n_rows) * size * np.where(colour == "blue", 2, 1)
    label = prediction + off
    colour[::50], size[::70] = None, np.nan
    inputs = pd.DataFrame({"size": size, "colour": colour, "new": new})
    return Rows(inputs, pd.DataFrame({"label": label, "prediction": prediction}))


def scored(found: Rows) -> Scored:
    return Scored(found.answers["label"].to_numpy(), found.answers["prediction"].to_numpy())


def errors(found: Rows) -> dict[str, float]:
    off = (found.answers["label"] - found.answers["prediction"]).to_numpy()
    return {"mae": float(np.abs(off).mean()), "rmse": float(np.sqrt((off**2).mean()))}


@pytest.mark.parametrize("change", [{}, {"blue": 0.8}, {"shift": 0.5}])
def test_the_estimate_follows_what_the_inputs_say(
    use_case: UseCase, change: dict[str, float]
) -> None:
    holdout, window = rows(10_000, 1), rows(10_000, 2, **change)
    unlabelled = Rows(window.inputs, window.answers.assign(label=np.nan))
    estimate = estimate_of(holdout, scored(holdout), use_case)
    assert estimate
    assert point(estimate.of_holdout, 10_000) == pytest.approx(errors(holdout), rel=0.05)
    assert point(estimate.of(unlabelled), 10_000) == pytest.approx(errors(window), rel=0.08)
    if change:
        assert point(estimate.of(unlabelled), 10_000)["mae"] > 1.2 * errors(holdout)["mae"]


def test_what_only_labels_can_show_is_not_estimated(use_case: UseCase) -> None:
    holdout, window = rows(5_000, 1), rows(5_000, 2)
    window.answers["label"] = np.random.default_rng(0).permutation(window.answers["label"]) + 3
    estimate = estimate_of(holdout, scored(holdout), use_case)
    assert estimate
    assert point(estimate.of(window), 5_000)["mae"] == pytest.approx(
        errors(holdout)["mae"], rel=0.1
    )
    assert errors(window)["mae"] > 2


def test_the_model_learns_nothing_by_heart(use_case: UseCase) -> None:
    """Losses that no input explains: of the holdout's rows it says what it says of any."""
    random = np.random.default_rng(0)
    holdout = rows(2_000, 1)
    holdout.answers["label"] = holdout.answers["prediction"] + random.exponential(size=2_000)
    model = loss_model(holdout, scored(holdout), use_case)
    assert model
    loss = np.abs(holdout.answers["label"] - holdout.answers["prediction"])
    assert abs(np.corrcoef(model.of_holdout["mae"], loss)[0, 1]) < 0.1


def test_of_a_few_rows_nothing_is_learned(use_case: UseCase) -> None:
    few = rows(49, 1)
    assert estimate_of(few, scored(few), use_case) is None
    enough = rows(50, 1)
    estimate = estimate_of(enough, scored(enough), use_case)
    assert estimate
    assert point(estimate.of_holdout, 50) == pytest.approx(errors(enough), rel=0.2)


def test_an_input_that_a_window_lacks_counts_as_missing(use_case: UseCase) -> None:
    holdout, window = rows(2_000, 1), rows(500, 2)
    estimate = estimate_of(holdout, scored(holdout), use_case)
    assert estimate
    found = estimate.of(Rows(window.inputs.drop(columns=["new"]), window.answers))
    assert point(found, 500)["mae"] > 0


def test_rows_count_as_their_weights(use_case: UseCase) -> None:
    holdout, window = rows(2_000, 1), rows(40, 2)
    estimate = estimate_of(holdout, scored(holdout), use_case)
    assert estimate
    found = estimate.of(window)
    each = {name: metric(np.eye(40)) for name, metric in found.items()}  # of every row alone
    assert min(each["mae"].min(), each["rmse"].min()) >= 0
    weights = np.random.default_rng(0).integers(0, 4, (3, 40)).astype(float)
    mae = [np.average(each["mae"], weights=some) for some in weights]
    assert found["mae"](weights) == pytest.approx(mae)
    squared = [np.average(each["rmse"] ** 2, weights=some) for some in weights]
    assert found["rmse"](weights) == pytest.approx(np.sqrt(squared))


def test_an_order_of_the_holdout_s_rows_teaches_nothing(use_case: UseCase) -> None:
    """Losses grow from row to row, which no input tells: none is expected to be larger."""
    holdout = rows(2_000, 1)
    off = np.linspace(0, 2, 2_000)
    holdout.answers["label"] = holdout.answers["prediction"] + off
    model = loss_model(holdout, scored(holdout), use_case)
    assert model
    first, second = (part.mean() for part in np.split(model.of_holdout["mae"], 2))
    assert first == pytest.approx(second, abs=0.1)
