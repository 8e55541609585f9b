from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as reference

from contract.errors import BadInput
from contract.statistics.bootstrap import bootstrap, estimate, interval, subset_rows
from contract.statistics.metrics import (
    Metric,
    Scored,
    better,
    check_metric,
    defined,
    metric_values,
    metrics_for,
    positive_index,
)
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.gates import Gates
from tests.conftest import made_use_case
from tests.support.golden import of_several_classes, of_two_classes

N_ROWS = 400


def binary() -> tuple[Scored, np.ndarray]:
    random = np.random.default_rng(0)
    label = random.random(N_ROWS) < 0.3
    # Rounded, so that scores tie.
    p = np.round(np.clip(random.random(N_ROWS) * 0.7 + label * 0.2, 0, 1), 2)
    return Scored(label, p > 0.5, np.c_[1 - p, p], (False, True)), p


def value(use_case: UseCase, scored: Scored, name: str) -> float:
    weights = np.ones((1, len(scored.label)))
    return float(metrics_for(use_case, scored)[name](weights)[0])


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("roc_auc", lambda s, p: reference.roc_auc_score(s.label, p)),
        ("average_precision", lambda s, p: reference.average_precision_score(s.label, p)),
        ("log_loss", lambda s, p: reference.log_loss(s.label, p)),
        ("brier", lambda s, p: reference.brier_score_loss(s.label, p)),
        ("accuracy", lambda s, _: reference.accuracy_score(s.label, s.prediction)),
        ("precision", lambda s, _: reference.precision_score(s.label, s.prediction)),
        ("recall", lambda s, _: reference.recall_score(s.label, s.prediction)),
        ("f1", lambda s, _: reference.f1_score(s.label, s.prediction)),
    ],
)
def test_binary_metrics_are_scikit_learns(home: Path, name: str, peer: object) -> None:
    scored, p = binary()
    found = value(made_use_case(home), scored, name)
    assert found == pytest.approx(peer(scored, p), abs=1e-9)  # type: ignore[operator]


def test_multiclass_metrics_are_scikit_learns() -> None:
    random = np.random.default_rng(1)
    classes = ("Adelie", "Chinstrap", "Gentoo")
    label = random.choice(classes, N_ROWS)
    p = random.dirichlet([1, 1, 1], N_ROWS)
    scored = Scored(label, np.array(classes)[p.argmax(1)], p, classes)
    use_case = load_use_case("penguins")
    for name, peer in {
        "log_loss": reference.log_loss(label, p),
        "f1_macro": reference.f1_score(label, scored.prediction, average="macro"),
        "balanced_accuracy": reference.balanced_accuracy_score(label, scored.prediction),
        "roc_auc_ovr": reference.roc_auc_score(label, p, multi_class="ovr"),
    }.items():
        assert value(use_case, scored, name) == pytest.approx(peer, abs=1e-9), name


def test_regression_metrics_are_scikit_learns() -> None:
    random = np.random.default_rng(2)
    label = random.normal(size=N_ROWS + 1)
    scored = Scored(label, label + random.normal(size=N_ROWS + 1))
    use_case = load_use_case("arrival-delay")
    said = scored.prediction
    for name, peer in {
        "mae": reference.mean_absolute_error(label, said),
        "rmse": reference.root_mean_squared_error(label, said),
        "r2": reference.r2_score(label, said),
        "median_absolute_error": reference.median_absolute_error(label, said),
    }.items():
        assert value(use_case, scored, name) == pytest.approx(peer, abs=1e-9), name


def test_a_weight_counts_like_a_repeated_row(home: Path) -> None:
    scored, _ = binary()
    counts = np.random.default_rng(3).integers(0, 4, N_ROWS)
    at = np.repeat(np.arange(N_ROWS), counts)
    assert scored.probability is not None
    repeated = Scored(
        scored.label[at], scored.prediction[at], scored.probability[at], (False, True)
    )
    use_case = made_use_case(home)
    for name, metric in metrics_for(use_case, scored).items():
        weighted = float(metric(counts[None, :].astype(float))[0])
        assert weighted == pytest.approx(value(use_case, repeated, name), abs=1e-9), name


def test_the_rows_own_weights_count_alike_in_value_and_interval(home: Path) -> None:
    scored, _ = binary()
    counts = np.random.default_rng(3).integers(0, 4, N_ROWS).astype(float)
    use_case = made_use_case(home)
    plain, weighed = (metrics_for(use_case, s) for s in (scored, replace(scored, weight=counts)))
    ones = np.ones((1, N_ROWS))
    drawn, drawn_weighed = (bootstrap(m, N_ROWS, 20) for m in (plain, weighed))
    for name in plain:
        assert weighed[name](ones)[0] == pytest.approx(plain[name](counts[None, :])[0]), name
        assert not np.allclose(drawn[name], drawn_weighed[name]), name
    some = np.arange(N_ROWS) % 2 == 0
    assert scored.rows(some).weight is None
    part = replace(scored, weight=counts).rows(some).weight
    assert part is not None
    assert part.tolist() == counts[some].tolist()
    nothing = metrics_for(use_case, replace(scored, weight=np.zeros(N_ROWS)))
    assert np.isnan(nothing["roc_auc"](ones)).all()


def test_the_interval_covers_the_truth_as_often_as_it_says(home: Path) -> None:
    use_case, hits = made_use_case(home), 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        label = random.random(200) < 0.5
        said = np.where(random.random(200) < 0.8, label, ~label)
        scored = Scored(label, said, np.c_[1.0 - said, said], (False, True))
        found = estimate(accuracy(use_case), scored, 300)["accuracy"]
        hits += found.low <= 0.8 <= found.high
    assert 0.90 <= hits / 200 <= 0.99


def accuracy(use_case: UseCase) -> Callable[[Scored], dict[str, Metric]]:
    return lambda part: {"accuracy": metrics_for(use_case, part)["accuracy"]}


def many(n_rows: int, share: float) -> Scored:
    """A classifier's answers on rows of which a share is positive."""
    random = np.random.default_rng(4)
    label = random.random(n_rows) < share
    p = 1 / (1 + np.exp(-random.normal(np.where(label, 0.5, -1.0), 1.2)))
    return Scored(label, p > 0.5, np.c_[1 - p, p], (False, True))


def test_few_rows_of_many_give_the_interval_of_all(home: Path) -> None:
    """Resamples of 5,000 rows against those of all; benchmarks/gate.py does it for flights."""
    use_case, scored = made_use_case(home), many(12_000, 0.3)
    names = ("roc_auc", "log_loss", "recall")

    def measure(part: Scored) -> dict[str, Metric]:
        metrics = metrics_for(use_case, part)
        return {name: metrics[name] for name in names}

    assert subset_rows(scored) == 5_000
    found = estimate(measure, scored, 2000)
    drawn = bootstrap(measure(scored), 12_000, 2000)
    for name in names:
        low, high = interval(drawn[name])
        assert (found[name].high - found[name].low) / (high - low) == pytest.approx(1, abs=0.05)
        assert low < found[name].value < high
        assert found[name].low == pytest.approx(low, abs=0.05 * (high - low))


@pytest.mark.parametrize(
    ("share", "rows"), [(0.3, 5_000), (0.01, 10_000), (0.001, 50_000), (0.0, 50_000)]
)
def test_a_rare_class_asks_for_more_rows(share: float, rows: int) -> None:
    label = np.arange(100_000) < share * 100_000
    scored = Scored(label, label, np.zeros((100_000, 2)), (False, True))
    assert subset_rows(scored) == rows


def test_resamples_are_seeded_and_shared() -> None:
    same = {"a": lambda w: w[:, 0], "b": lambda w: w[:, 0]}
    drawn = bootstrap(same, 50, 100)
    assert (drawn["a"] == drawn["b"]).all()
    assert (drawn["a"] == bootstrap(same, 50, 100)["a"]).all()
    assert interval(np.array([np.nan, 1.0])) == (1.0, 1.0)


def test_an_unknown_metric_names_the_nearest(home: Path) -> None:
    scored, _ = binary()
    use_case = made_use_case(home, {"gates": Gates(minimum={"roc_acu": 0.5})})
    with pytest.raises(BadInput, match="did you mean 'roc_auc'"):
        check_metric(use_case, metrics_for(use_case, scored))


def test_every_metric_of_classes_is_scikit_learn_s(home: Path) -> None:
    scored, p = binary()
    found = metric_values(made_use_case(home), scored)
    assert found == pytest.approx(of_two_classes(scored.label.astype(bool), p))
    random = np.random.default_rng(1)
    classes = np.array(["Adelie", "Chinstrap", "Gentoo"])
    label, chances = random.choice(classes, N_ROWS), random.dirichlet([1, 1, 1], N_ROWS)
    several = Scored(label, classes[chances.argmax(1)], chances, tuple(classes))
    found = metric_values(load_use_case("penguins"), several)
    assert found == pytest.approx(of_several_classes(label, chances, classes))


def test_an_impossible_answer_costs_much_and_not_everything(home: Path) -> None:
    label = np.array([True, False])
    sure = Scored(label, ~label, np.array([[1.0, 0.0], [0.0, 1.0]]), (False, True))
    found = metric_values(made_use_case(home), sure)
    assert found["log_loss"] == pytest.approx(-np.log(1e-15))
    assert found["calibration_error"] == 1
    assert found["roc_auc"] == 0
    # Nobody was said to be positive: there is no precision.
    no = Scored(label, np.array([False, False]), np.full((2, 2), 0.5), (False, True))
    found = metric_values(made_use_case(home), no)
    assert np.isnan(found["precision"])
    assert (found["recall"], found["f1"]) == (0, 0)


def test_bias_is_signed_and_a_constant_explains_nothing() -> None:
    use_case = load_use_case("arrival-delay")
    scored = Scored(np.array([1.0, 2.0, 6.0]), np.array([3.0, 3.0, 3.0]))
    found = metric_values(use_case, scored)
    assert found == pytest.approx(
        {
            "mae": 2.0,
            "rmse": np.sqrt(14 / 3),
            "r2": 0.0,
            "median_absolute_error": 2.0,
            "bias": 0.0,
        }
    )
    late = metric_values(use_case, Scored(np.array([1.0, 1.0]), np.array([4.0, 2.0])))
    assert late["bias"] == 2
    assert np.isnan(late["r2"])
    assert defined(late).keys() == late.keys() - {"r2"}


@pytest.mark.parametrize(
    ("name", "a", "b", "says"),
    [
        ("roc_auc", 0.8, 0.7, True),
        ("roc_auc", 0.7, 0.7, False),
        ("log_loss", 0.7, 0.8, True),
        ("log_loss", 0.7, 0.7, False),
        ("mae", 3, 2, False),
    ],
)
def test_which_value_is_better(name: str, a: float, b: float, says: bool) -> None:
    assert better(name, a, b) is says


def test_the_positive_class_is_the_declared_one_or_the_last(home: Path) -> None:
    declared = made_use_case(home)
    assert positive_index(declared, (False, True)) == 1
    assert positive_index(declared, (True, False)) == 0
    assert positive_index(made_use_case(home, {"positive": None}), ("a", "b", "c")) == 2
    with pytest.raises(BadInput, match=r"positive: True is no class, found \['a', 'b'\]"):
        positive_index(declared, ("a", "b"))


def test_metrics_of_the_task_are_taken(home: Path) -> None:
    scored, _ = binary()
    check_metric(made_use_case(home), metrics_for(made_use_case(home), scored))
