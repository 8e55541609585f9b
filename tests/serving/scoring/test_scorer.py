"""A scorer's promises, whatever it was compiled from."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from contract.errors import Refused
from contract.use_case.features import Columns
from serving.scoring.agreement import compare
from serving.scoring.scorer import CHUNK_ROWS, Floats, Predictions, Scorer
from serving.scoring.version import ServedVersion, check_golden, load_version


def constant(*rows: list[float], classes: tuple[object, ...] = ("a", "b")) -> Scorer:
    """A scorer of the feature `x` that answers these rows, whatever it is asked."""

    def run(_: Columns) -> Floats:
        return np.array(rows)

    return Scorer(("x",), classes, run)


@pytest.fixture(scope="module")
def served(package: Path) -> ServedVersion:
    return load_version(package, "penguins", "1")


def repeated(served: ServedVersion, n_rows: int) -> Columns:
    assert served.golden is not None
    columns = served.golden.columns
    n = len(next(iter(columns.values())))
    return {name: [values[i % n] for i in range(n_rows)] for name, values in columns.items()}


def test_rows_are_answered_alike_alone_together_and_in_chunks(served: ServedVersion) -> None:
    rows = repeated(served, CHUNK_ROWS + 100)
    together = served.scorer.score(rows)
    assert len(together.prediction) == CHUNK_ROWS + 100
    assert together.probability is not None
    for at in (0, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 99):
        alone = served.scorer.score({name: values[at : at + 1] for name, values in rows.items()})
        part = Predictions([together.prediction[at]], [together.probability[at]])
        assert compare(alone, part).max_difference <= 1e-15
        assert alone.prediction == part.prediction


def test_threads_get_the_answers_to_their_own_rows(served: ServedVersion) -> None:
    rows = repeated(served, 50)
    asked = [{name: values[at : at + 5] for name, values in rows.items()} for at in range(45)]
    expected = [served.scorer.score(columns) for columns in asked]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(served.scorer.score, asked)) == expected


def test_no_rows_are_no_answers(served: ServedVersion) -> None:
    assert served.scorer.score(repeated(served, 0)) == Predictions([], [])


@pytest.mark.parametrize(
    ("found", "n_rows"),
    [
        ([[0.4, np.nan]], 1),
        ([[np.inf, 0.0]], 1),
        ([[0.4, 0.6]], 2),
        ([[1.0]], 1),
    ],
)
def test_what_is_not_finite_or_not_whole_is_refused(found: list[list[float]], n_rows: int) -> None:
    with pytest.raises(Refused, match="no usable answer"):
        constant(*found).score({"x": [1.0] * n_rows})


def test_columns_of_two_lengths_are_refused(served: ServedVersion) -> None:
    rows = dict(repeated(served, 3)) | {"island": ["Biscoe"]}
    with pytest.raises(Refused, match=r"one length are needed, found lengths \[1, 3\]"):
        served.scorer.score(rows)


@pytest.mark.parametrize(
    ("found", "expected", "holds"),
    [
        (Predictions(["a"], [[0.6, 0.4]]), Predictions(["a"], [[0.6, 0.4]]), True),
        (Predictions(["a"], [[0.6, 0.4]]), Predictions(["a"], [[0.6 + 2e-9, 0.4]]), False),
        (Predictions(["a"], [[0.6, 0.4]]), Predictions(["b"], [[0.6, 0.4]]), False),
        (Predictions(["a"], [[0.5, 0.5]]), Predictions(["b"], [[0.5 - 1e-10, 0.5 + 1e-10]]), True),
        (Predictions([1e12], None), Predictions([1e12 + 100], None), True),
        (Predictions([1.0], None), Predictions([1.0, 1.0], None), False),
        (Predictions(["a"], [[1.0]]), Predictions(["a"], [[1.0, 0.0]]), False),
    ],
)
def test_what_is_the_same_answer(found: Predictions, expected: Predictions, holds: bool) -> None:
    assert compare(found, expected).holds is holds


def test_golden_rows_tell_another_model(served: ServedVersion) -> None:
    check_golden(served)
    assert served.golden is not None
    n_rows = len(served.golden.expected.prediction)
    scorer = constant(*[[1.0, 0.0, 0.0]] * n_rows, classes=served.scorer.classes)
    other = Scorer(served.scorer.features, scorer.classes, scorer.run)
    changed = ServedVersion("penguins", "1", "", served.use_case, other, served.golden)
    with pytest.raises(Refused, match=r"golden rows the answers are up to .* off"):
        check_golden(changed)


def test_golden_rows_show_every_category_and_a_null(served: ServedVersion) -> None:
    assert served.golden is not None
    columns = served.golden.columns
    assert len(columns["island"]) == 50
    assert set(columns["island"]) == {"Biscoe", "Dream", "Torgersen"}
    assert set(columns["sex"]) == {"female", "male", None}
