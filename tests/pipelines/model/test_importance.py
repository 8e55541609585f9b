"""Permutation importance: the encoded columns of a feature stand for the feature."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.pipeline import Pipeline

from contract.store.frames import feature_frame
from contract.use_case.model import UseCase
from contract.use_case.sections.estimator import Estimator
from pipelines.model.fit import fit_pipeline
from pipelines.model.fitted import labels
from pipelines.model.importance import origins, permutation
from tests.conftest import made_rows, made_use_case

ESTIMATORS = [
    "sklearn.linear_model.LogisticRegression",  # one-hot words, imputed and scaled numbers
    "sklearn.ensemble.HistGradientBoostingClassifier",  # ordinal words, numbers as they are
]


def fitted(home: Path, path: str) -> tuple[UseCase, pa.Table, Pipeline]:
    use_case = made_use_case(home, {"estimator": Estimator(path=path)})
    known = made_rows(400).assign(group="the same")
    known.loc[::9, "size"] = np.nan
    rows = pa.Table.from_pandas(known)
    model = fit_pipeline(use_case, {}, feature_frame(rows, use_case), labels(rows, use_case))
    return use_case, rows, model


@pytest.mark.parametrize("path", ESTIMATORS)
def test_every_encoded_column_is_traced_to_its_feature(home: Path, path: str) -> None:
    use_case, rows, model = fitted(home, path)
    frame = feature_frame(rows, use_case)
    encoder = model[:-1]
    names = list(encoder.get_feature_names_out())
    found = origins(encoder, frame, np.array(encoder.transform(frame), dtype=float))
    features = list(frame)
    for name, at in zip(names, found, strict=True):
        constant = "group" in name
        assert at == -1 if constant else features[at] in name, name


@pytest.mark.parametrize("path", ESTIMATORS)
def test_what_is_lost_is_what_shuffling_the_feature_itself_loses(home: Path, path: str) -> None:
    use_case, rows, model = fitted(home, path)
    spread = permutation(model, rows, use_case)
    found = {name: mean for name, (mean, _, _) in spread.items()}
    assert all(least <= mean <= most for mean, least, most in spread.values())
    assert spread["size"][1] < spread["size"][2]
    assert list(found) == list(use_case.features)
    assert found["size"] > 0.2
    assert found["group"] == 0
    assert abs(found["colour"]) < 0.05
    assert by_hand(model, rows, use_case) == pytest.approx(found["size"], abs=0.05)


def test_shuffles_are_scored_alike_together_and_one_by_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case, rows, model = fitted(home, ESTIMATORS[0])
    together = permutation(model, rows, use_case)
    monkeypatch.setattr("pipelines.model.importance.CELLS_AT_ONCE", 1)
    assert permutation(model, rows, use_case) == together


def by_hand(model: Pipeline, rows: pa.Table, use_case: UseCase) -> float:
    """The loss of ROC AUC where `size` is shuffled before it is encoded, by scikit-learn."""
    from sklearn.inspection import permutation_importance

    frame, label = feature_frame(rows, use_case), labels(rows, use_case)
    lost = permutation_importance(model, frame, label, scoring="roc_auc", random_state=1)
    return float(lost.importances_mean[list(frame).index("size")])
