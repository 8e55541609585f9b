"""The package: what its reference holds."""

from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa
import pytest

from contract.names import REFERENCE_DIR, SCORER_DIR
from contract.statistics.metrics import metric_values
from contract.store.frames import feature_frame
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from monitoring.measures.answers import of_holdout
from monitoring.windows import reference
from monitoring.windows.reference import PROBABILITY
from pipelines.compiler.golden import golden_rows
from pipelines.main import Outcome
from pipelines.package import HOLDOUT_ROWS, _kept, add_reference
from pipelines.registry.versions import Version
from pipelines.runtime.workspace import open_workspace
from pipelines.train import example
from serving.scoring.scorer import Scorer, load_scorer
from tests.conftest import made_use_case
from tests.support import monitored as made


def test_the_reference_holds_what_the_packaged_scorer_answers(
    trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained[0])
    with open_workspace("penguins") as workspace:
        version = Version.read(workspace, trained[1].registered.version)
        folder = Path(mlflow.artifacts.download_artifacts(version.source))
        found, use_case = reference.load(folder / REFERENCE_DIR), workspace.use_case
    rows = pa.Table.from_pandas(found.holdout.inputs)
    scorer = load_scorer(folder / SCORER_DIR)
    answered = scorer.score({n: rows.column(n).to_pylist() for n in use_case.features})
    frozen = of_holdout(found.holdout.answers, use_case)
    assert frozen.probability is not None
    assert frozen.probability.tolist() == answered.probability  # to the last bit
    assert frozen.prediction.tolist() == answered.prediction
    assert found.figures == metric_values(use_case, frozen)


def test_the_reference_follows_the_scorer_and_not_the_pipeline(home: Path) -> None:
    use_case: UseCase = made_use_case(home)
    known = made.rows(100, 1)
    rows = pa.Table.from_pandas(known)

    def one_unit_off(columns: object) -> np.ndarray:
        late = np.nextafter(known["chance"].to_numpy(), 1)
        return np.column_stack([1 - late, late])

    scorer = Scorer(use_case.features, (False, True), one_unit_off)
    add_reference(home / "reference", use_case, rows, rows, scorer)
    found = reference.load(home / "reference")
    off = np.nextafter(known["chance"].to_numpy(), 1)
    assert found.holdout.answers[f"{PROBABILITY}True"].tolist() == off.tolist()
    assert set(found.figures) == set(
        metric_values(use_case, of_holdout(found.holdout.answers, use_case))
    )
    assert len(found.inputs) == use_case.monitoring.reference_rows


def test_of_a_large_holdout_a_sample_is_kept_and_figures_of_all_rows(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.package.HOLDOUT_CELLS", 40 * 7)  # three features, four answers
    use_case, known = made_use_case(home), made.rows(100, 1)
    chance = known["chance"].to_numpy()
    scorer = Scorer(
        use_case.features, (False, True), lambda _: np.column_stack([1 - chance, chance])
    )
    rows = pa.Table.from_pandas(known)
    add_reference(home / "reference", use_case, rows, rows, scorer)
    found = reference.load(home / "reference").holdout
    assert len(found.inputs) == len(found.answers) == 40
    at = {size: n for n, size in enumerate(known["size"])}
    places = [at[size] for size in found.inputs["size"]]
    assert places == sorted(places)
    assert max(places) > 60
    assert found.answers[f"{PROBABILITY}True"].tolist() == chance[places].tolist()
    figures = reference.load(home / "reference").figures
    assert figures["accuracy"] == pytest.approx((known["late"] == (chance > 0.5)).mean())


def test_no_column_of_a_person_travels_with_the_reference(home: Path) -> None:
    hidden = {
        "group": Column(type="string", personal=True, log="keep"),
        "colour": Column(type="string", log="hash"),
    }
    use_case = made_use_case(home)
    use_case = use_case.model_copy(update={"columns": use_case.columns | hidden})
    rows = pa.Table.from_pandas(made.rows(20, 1))
    scorer = Scorer(use_case.features, (False, True), lambda _: np.full((20, 2), 0.5))
    add_reference(home / "reference", use_case, rows, rows, scorer)
    found = reference.load(home / "reference")
    assert list(found.inputs) == list(found.holdout.inputs) == ["size"]
    golden = golden_rows(rows, use_case)
    assert set(golden["group"] + golden["colour"]) == {""}
    assert golden["size"] == rows.column("size").to_pylist()
    shown = example(use_case, rows)
    assert set(shown["group"]) | set(shown["colour"]) == {""}
    assert shown.dtypes.equals(feature_frame(rows, use_case).dtypes)


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "kept"),
    [(27_000, 22, 27_000), (400_000, 30, HOLDOUT_ROWS), (400_000, 400, 5_000), (90, 10**9, 1)],
)
def test_what_is_kept_is_bounded_by_rows_and_cells(n_rows: int, n_columns: int, kept: int) -> None:
    assert len(_kept(n_rows, n_columns)) == kept
