"""Performance of a regression before any label arrives: direct loss estimation.

A second model learns on the holdout, from the inputs and the answer, how far an answer lies off.
What it says of rows without labels stands for their losses (NannyML's documentation of DLE; that a
loss can be predicted: Yoo and Kweon, 2019). It sees changed inputs. It cannot see a changed
relation between inputs and label, since it knows nothing of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contract.statistics.metrics import Floats, Metric, Scored
from contract.use_case.model import UseCase
from monitoring.windows.reference import Rows

LEAST_ROWS = 50  # of a holdout: from fewer nothing can be learned
FOLDS = 2
PARAMETERS = {"max_iter": 50, "min_samples_leaf": 50, "early_stopping": False, "random_state": 0}


@dataclass(frozen=True)
class LossModel:
    """What is known of the losses: models of the absolute and the squared error, and what such
    models, fitted without a row of the holdout, say of that row, (n_holdout,) each."""

    models: Mapping[str, Any]
    of_holdout: Mapping[str, Floats]
    words: Mapping[str, bool]  # the inputs that it reads, and whether they hold text

    def on_holdout(self) -> dict[str, Metric]:
        """MAE and RMSE as they are expected on the holdout."""
        return _metrics(self.of_holdout)

    def expected(self, rows: Rows) -> dict[str, Metric]:
        """MAE and RMSE as they are expected on rows, whatever labels they have.

        They take weights of the rows as any metric does.
        """
        from threadpoolctl import threadpool_limits

        known = _known(rows, self.words)
        with threadpool_limits(1):
            return _metrics({name: _losses(m.predict(known)) for name, m in self.models.items()})


def loss_model(holdout: Rows, scored: Scored, use_case: UseCase) -> LossModel | None:
    """Learn the losses of a regression's answers on its holdout; None where it has few rows."""
    from sklearn.base import clone
    from sklearn.model_selection import KFold, cross_val_predict
    from threadpoolctl import threadpool_limits

    if len(holdout) < LEAST_ROWS:
        return None
    declared = use_case.feature_columns
    words = {n: declared[n].type == "string" for n in map(str, holdout.inputs) if n in declared}
    known = _known(holdout, words)
    error = scored.prediction.astype(float) - scored.label.astype(float)
    wanted = {"mae": np.abs(error), "rmse": error**2}
    model, folds = _model(known), KFold(FOLDS, shuffle=True, random_state=0)
    with threadpool_limits(1):  # more threads wait for each other where cores are busy
        fitted = {name: clone(model).fit(known, loss) for name, loss in wanted.items()}
        unseen = {n: cross_val_predict(model, known, loss, cv=folds) for n, loss in wanted.items()}
    return LossModel(fitted, {name: _losses(found) for name, found in unseen.items()}, words)


def _model(known: pd.DataFrame) -> Any:
    """Boosted trees; a word counts as the mean loss of its rows."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import TargetEncoder

    words = [name for name in known if known[name].dtype.kind == "O"]
    folds = KFold(FOLDS, shuffle=True, random_state=0)
    mean_loss = TargetEncoder(target_type="continuous", cv=folds)
    encode = make_column_transformer((mean_loss, words), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingRegressor(**PARAMETERS))


def _known(rows: Rows, words: Mapping[str, bool]) -> pd.DataFrame:
    """What the model of losses sees: the inputs, and the answer beside them, (n_rows, ...).

    By position, for an input may be called as the answer is.
    """
    inputs = rows.inputs.reindex(columns=list(words))
    parts = [
        inputs[name].astype(str).astype(object) if word else inputs[name].astype(float)
        for name, word in words.items()
    ]
    parts.append(rows.answers["prediction"].astype(float))
    columns = {str(at): part.to_numpy() for at, part in enumerate(parts)}
    return pd.DataFrame(columns)


def _losses(found: Floats) -> Floats:
    """No loss is below zero, whatever a sum of trees says."""
    return np.maximum(found, 0.0)


def _metrics(losses: Mapping[str, Floats]) -> dict[str, Metric]:
    def mean(name: str) -> Metric:
        return lambda weights: weights @ losses[name] / weights.sum(axis=1)

    squared = mean("rmse")
    return {"mae": mean("mae"), "rmse": lambda weights: np.sqrt(squared(weights))}
