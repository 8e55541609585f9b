"""Resamples and intervals, against numpy's own draws and quantiles."""

import numpy as np
import pytest

from contract.statistics.bootstrap import bootstrap, estimate, interval, subset_rows
from contract.statistics.metrics import Floats, Metric, Scored
from tests.support.golden import ends, resamples

X = np.random.default_rng(5).normal(size=40)


def mean(weights: Floats) -> Floats:
    found: Floats = weights @ X / weights.sum(axis=1)
    return found


def highest(weights: Floats) -> Floats:
    found: Floats = np.where(weights > 0, X, -np.inf).max(axis=1)
    return found


@pytest.mark.parametrize("cells", [1, 40, 120, 10**6])
def test_resamples_are_numpy_s_draws_however_many_are_made_at_once(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contract.statistics.bootstrap.CHUNK_CELLS", cells)
    found = bootstrap({"mean": mean, "highest": highest}, 40, 8)
    drawn = resamples(40, 8)
    assert found["mean"] == pytest.approx(drawn @ X / 40)
    assert found["highest"].tolist() == highest(drawn).tolist()


def test_another_seed_draws_others() -> None:
    first, same, other = (bootstrap({"mean": mean}, 40, 7, seed)["mean"] for seed in (0, 0, 1))
    assert first.tolist() == same.tolist()
    assert first.tolist() != other.tolist()
    drawn = np.random.default_rng(1).integers(0, 40, (7, 40))
    assert other == pytest.approx(X[drawn].mean(axis=1))


def test_the_interval_leaves_out_what_is_undefined() -> None:
    values = np.append(np.arange(101.0), [np.nan] * 50)
    assert interval(values) == pytest.approx((2.5, 97.5))
    assert interval(values, 0.5) == pytest.approx((25, 75))
    assert np.isnan(interval(np.array([np.nan]))).all()


def answered(n_rows: int, rare: float) -> Scored:
    label = np.arange(n_rows) < rare * n_rows
    return Scored(label, label, np.eye(2)[label.astype(int)], (False, True))


def test_an_estimate_of_few_rows_is_their_bootstrap() -> None:
    def measure(_: Scored) -> dict[str, Metric]:
        return {"mean": mean}

    scored = Scored(X, X)
    found = estimate(measure, scored, 50)["mean"]
    drawn = resamples(40, 50) @ X / 40
    assert found.value == pytest.approx(X.mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


@pytest.mark.parametrize(
    ("n_rows", "rare", "rows"),
    [
        (100_000, 0.5, 5_000),
        (100_000, 0.02, 5_000),
        (100_000, 0.01, 10_000),
        (100_000, 0.001, 50_000),
        (100_000, 0.0, 50_000),
    ],
)
def test_so_many_rows_stand_for_all(n_rows: int, rare: float, rows: int) -> None:
    assert subset_rows(answered(n_rows, rare)) == rows
    assert subset_rows(Scored(X, X)) == 5_000


def test_the_interval_of_many_rows_comes_from_five_subsets() -> None:
    values = np.random.default_rng(2).normal(size=12_000)
    seen: list[int] = []
    drawn: list[int] = []

    def measure(part: Scored) -> dict[str, Metric]:
        numbers = part.label.astype(float)
        seen.append(len(numbers))

        def weighted(weights: Floats) -> Floats:
            drawn.append(len(weights))
            found: Floats = weights @ numbers / weights.sum(axis=1)
            return found

        return {"mean": weighted}

    found = estimate(measure, Scored(values, values), 52)["mean"]
    assert seen == [12_000, *[5_000] * 5]
    assert sum(drawn) == 6 + 5 * 11  # each as it is, and a fifth of 52, rounded up, of each subset
    error = values.std() / np.sqrt(12_000)
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / error == pytest.approx(2 * 1.96, rel=0.25)
    assert found.low < found.value < found.high


def test_the_interval_of_twice_as_many_rows_comes_from_all_of_them() -> None:
    values = np.random.default_rng(2).normal(size=10_000)
    found = estimate(lambda _: {"mean": lambda w: w @ values / 10_000}, Scored(values, values), 5)
    assert found["mean"].low == pytest.approx(ends(resamples(10_000, 5) @ values / 10_000)[0])
