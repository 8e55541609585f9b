from pathlib import Path

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from contract.errors import Refused
from contract.store.frames import feature_frame, feature_table
from pipelines.compiler.compile import compile_pipeline
from serving.scoring.agreement import compare
from serving.scoring.sklearn_scorer import pipeline_scorer
from tests.support.compiled import answers, compiled, declared, made


@pytest.mark.parametrize("clip", [False, True])
def test_it_is_told_exactly(home: Path, clip: bool) -> None:
    use_case = declared("regression")
    scaler = MinMaxScaler(feature_range=(-2, 5), clip=clip)
    encoder = ColumnTransformer([("numbers", scaler, ["weight", "floor"])])
    frame = feature_frame(feature_table(made(), use_case), use_case)
    model = make_pipeline(encoder, Ridge()).fit(frame, answers("regression", made()))
    if clip:
        with pytest.raises(Refused, match="clip=True cuts values off"):
            compile_pipeline(model, use_case)
        return
    expected = pipeline_scorer(model, use_case).score(made(seed=3))
    found = compiled(model, use_case, home).score(made(seed=3))
    assert compare(found, expected).max_difference <= 1e-12
