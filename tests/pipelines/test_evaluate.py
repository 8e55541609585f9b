"""An evaluation, its card and the gate's page say what scikit-learn says of the same rows."""

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.image import imread
from sklearn.dummy import DummyClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline

from contract.names import ROW_HASH
from contract.settings import read_settings
from contract.store.frames import feature_frame
from contract.use_case.loader import load_use_case
from pipelines.evaluate import STEP
from pipelines.main import Outcome
from pipelines.model.fitted import load_model
from pipelines.model.plots import BLUE
from pipelines.model.results import Evaluated
from pipelines.registry.versions import Version
from pipelines.runtime.step import latest_run, load_result
from pipelines.runtime.workspace import Workspace, connected
from pipelines.train import STEP as TRAIN
from tests.support.golden import (
    Floats,
    blank,
    calibration_error,
    cells,
    ends,
    of_several_classes,
    of_two_classes,
    resamples,
)
from tests.support.turned import Turned
from tracking.tags import TRAIN_RUN_TAG


@dataclass(frozen=True)
class Golden:
    """An evaluation, and what it was made of, read from store and tables."""

    workspace: Workspace
    said: Evaluated
    run_id: str
    model: Pipeline
    training: pd.DataFrame
    holdout: pd.DataFrame

    @property
    def inputs(self) -> pd.DataFrame:
        """What the model saw of the holdout."""
        rows = self.workspace.tables.read("holdout", self.said.holdout.version)
        return feature_frame(rows, self.workspace.use_case)

    @property
    def label(self) -> np.ndarray:
        """What was true of it."""
        return self.holdout[self.workspace.use_case.target].to_numpy()

    @property
    def probability(self) -> Floats:
        """What the model answered, (n_rows, n_classes)."""
        answered: Floats = self.model.predict_proba(self.inputs)
        return answered

    @property
    def constant(self) -> Floats:
        """The classes' shares among the training labels, (n_rows, n_classes)."""
        known = self.training[self.workspace.use_case.target]
        dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(known), 1)), known)
        shares: Floats = dummy.predict_proba(np.zeros((len(self.holdout), 1)))
        return shares

    @property
    def metrics(self) -> dict[str, float]:
        """What MLflow shows of the run."""
        found: dict[str, float] = self.workspace.client.get_run(self.run_id).data.metrics
        return found

    def artifact(self, name: str) -> str:
        """A text among the files of the run."""
        return str(mlflow.artifacts.load_text(f"runs:/{self.run_id}/{name}"))


def golden(workspace: Workspace, run_id: str) -> Golden:
    said = load_result(workspace, STEP, run_id)
    trained = load_result(workspace, TRAIN, latest_run(workspace, TRAIN))
    tables = (workspace.tables.read(v.table, v.version) for v in (trained.training, said.holdout))
    training, holdout = (table.to_pandas() for table in tables)
    return Golden(workspace, said, run_id, load_model(trained.model_uri), training, holdout)


@pytest.fixture
def three(trained: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch) -> Golden:
    """The penguins' evaluation: three classes, slices by island."""
    monkeypatch.chdir(trained[0])
    workspace = connected(load_use_case("penguins"), read_settings(), "training")
    return golden(workspace, trained[1].evaluate_run)


@pytest.fixture
def two(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> Golden:
    """That of the made rows: late or not."""
    monkeypatch.chdir(turned.folder)
    workspace = connected(turned.use_case, read_settings(), "training")
    return golden(workspace, latest_run(workspace, STEP))


def test_figures_of_two_classes_and_their_intervals(two: Golden) -> None:
    y, p = two.label.astype(bool), two.probability[:, 1]
    drawn = [of_two_classes(y, p, w) for w in resamples(len(y), 100)]
    expected = {
        name: [value, *ends(np.array([figures[name] for figures in drawn]))]
        for name, value in of_two_classes(y, p).items()
    }
    assert list(two.said.figures) == list(expected)
    for name, figure in two.said.figures.items():
        assert list(figure.measured) == pytest.approx(expected[name]), name
        logged = [two.metrics[f"holdout/{name}{end}"] for end in ("", "_low", "_high")]
        assert logged == list(figure.measured), name


def test_figures_of_three_classes_and_their_intervals(three: Golden) -> None:
    label, p, classes = three.label, three.probability, three.model.classes_
    found = {name: figure.value for name, figure in three.said.figures.items()}
    assert found == pytest.approx(of_several_classes(label, p, classes))
    counts = resamples(len(label), three.workspace.use_case.evaluation.resamples)
    rows = {"log_loss": losses(three), "accuracy": label == classes[p.argmax(axis=1)]}
    for name, each in rows.items():
        expected = ends(counts @ each / len(label))
        figure = three.said.figures[name]
        assert [figure.low, figure.high] == pytest.approx(expected), name
    right = label == classes[p.argmax(axis=1)]
    errors = [calibration_error(right, p.max(axis=1), w) for w in counts]
    calibrated = three.said.figures["calibration_error"]
    assert [calibrated.low, calibrated.high] == pytest.approx(ends(np.array(errors)))


def test_the_baseline_answers_the_shares_of_two_classes(two: Golden) -> None:
    expected = of_two_classes(two.label.astype(bool), two.constant[:, 1])
    assert two.said.baseline == pytest.approx(expected, nan_ok=True)


def test_the_baseline_answers_the_shares_of_three_classes(three: Golden) -> None:
    expected = of_several_classes(three.label, three.constant, three.model.classes_)
    assert three.said.baseline == pytest.approx(expected)
    logged = {name: three.metrics[f"baseline/{name}"] for name in expected}
    assert logged == three.said.baseline


def test_slices_hold_the_main_metric_of_their_rows(three: Golden) -> None:
    islands = three.holdout["island"].to_numpy()
    names, counts = np.unique(islands, return_counts=True)
    assert {(s.column, s.value): s.rows for s in three.said.slices} == {
        ("island", name): n for name, n in zip(names, counts, strict=True)
    }
    measured = 0
    for found in three.said.slices:
        lost = losses(three)[islands == found.value]
        if found.rows < 30 or len(set(three.label[islands == found.value])) < 2:
            assert found.figure is None
            continue
        expected = [lost.mean(), *ends(resamples(found.rows, 200) @ lost / found.rows)]
        assert found.figure is not None
        assert list(found.figure.measured) == pytest.approx(expected)
        measured += 1
    assert measured == 2
    table = json.loads(three.artifact("slices.json"))
    shown = [s.figure.value if s.figure else None for s in three.said.slices]
    assert [row[table["columns"].index("log_loss")] for row in table["data"]] == pytest.approx(
        shown
    )


def test_importance_is_what_scikit_learn_finds_by_shuffling(three: Golden) -> None:
    lost = permutation_importance(
        three.model, three.inputs, three.label, scoring="neg_log_loss", n_repeats=20, random_state=1
    )
    expected = dict(zip(three.inputs, lost.importances_mean, strict=True))
    assert list(three.said.importance) == list(expected)
    for name, (mean, least, most) in three.said.importance.items():
        spread = lost.importances_std[list(expected).index(name)]
        assert mean == pytest.approx(expected[name], abs=3 * spread), name
        assert least <= mean <= most
    assert max(expected, key=expected.__getitem__) == max(
        three.said.importance, key=lambda name: three.said.importance[name][0]
    )
    logged = json.loads(three.artifact("importance.json"))
    assert {name: tuple(lost.values()) for name, lost in logged.items()} == three.said.importance


def test_every_plot_of_two_classes_is_drawn(two: Golden) -> None:
    found = plots(two)
    # No slices: each colour has too few rows for an interval.
    assert set(found) == {
        "roc",
        "precision_recall",
        "calibration",
        "confusion_matrix",
        "importance",
    }
    assert [name for name, image in found.items() if empty(name, image)] == []


def test_every_plot_of_three_classes_is_drawn(three: Golden) -> None:
    found = plots(three)
    assert set(found) == {"confusion_matrix", "importance", "slices_island"}
    assert [name for name, image in found.items() if empty(name, image)] == []


def empty(name: str, image: np.ndarray) -> bool:
    """Whether a picture has next to nothing in the colour in which its figures are drawn."""
    return blank(image, colormaps["Blues"](1.0) if name == "confusion_matrix" else BLUE)


def plots(of: Golden) -> "dict[str, np.ndarray]":
    """The pictures of the run by name, (height, width, 4) from 0 to 1."""
    root = Path(mlflow.artifacts.download_artifacts(f"runs:/{of.run_id}/plots"))
    return {file.stem: imread(BytesIO(file.read_bytes())) for file in root.glob("*.png")}


def losses(of: Golden) -> Floats:
    """The log loss of each row, (n_rows,)."""
    at = np.searchsorted(of.model.classes_, of.label)
    return -np.log(np.clip(of.probability[np.arange(len(at)), at], 1e-15, 1))


def test_the_card_shows_the_figures_of_the_holdout(three: Golden) -> None:
    card = three.workspace.client.get_model_version("penguins", "1").description or ""
    label, classes = three.label, three.model.classes_
    expected = of_several_classes(label, three.probability, classes)
    trivial = of_several_classes(label, three.constant, classes)
    shown = {row[0].strip("*↑↓ "): row[1:] for row in cells(card, "Metrics on the holdout")}
    for name, (value, interval, baseline) in shown.items():
        assert value == f"{expected[name]:.4f}", name
        assert baseline == f"{trivial[name]:.4f}", name
        ends_logged = [three.metrics[f"holdout/{name}_{end}"] for end in ("low", "high")]
        assert interval == "{:.4f} … {:.4f}".format(*ends_logged), name
    assert list(shown) == list(expected)
    assert "**log_loss** ↓" in card
    islands = three.holdout["island"].value_counts()
    sliced = {row[0]: row[1:] for row in cells(card, "Slices")}
    assert {island: int(row[0]) for island, row in sliced.items()} == islands.to_dict()
    assert sliced["Torgersen"][1] == "too few rows"
    for island in ("Biscoe", "Dream"):
        mask = (three.holdout["island"] == island).to_numpy()
        lost = log_loss(label[mask], three.probability[mask], labels=classes)
        drawn = resamples(int(mask.sum()), 200) @ losses(three)[mask] / mask.sum()
        assert sliced[island][1:] == [f"{lost:.4f}", "{:.4f} … {:.4f}".format(*ends(drawn))]


def test_the_card_tells_how_many_rows_there_were(three: Golden) -> None:
    card = three.workspace.client.get_model_version("penguins", "1").description or ""
    tables = three.workspace.tables
    raw, quarantined = (tables.read(name).num_rows for name in ("raw", "quarantine"))
    assert f"**rows** {raw} read" in card
    assert f" {quarantined} rows quarantined." in card
    rows = [row[:2] for row in cells(card, "Data")]
    assert rows == [
        ["training", str(len(three.training))],
        ["holdout, never trained on", str(len(three.holdout))],
    ]


def test_the_page_of_the_gate_says_what_is_measured_again(
    three: Golden, trained: tuple[Path, Outcome]
) -> None:
    version = Version.read(three.workspace, "1")
    page = mlflow.artifacts.load_text(f"runs:/{version.tags['gate_run']}/gate/decision.md")
    label, classes = three.label, three.model.classes_
    expected = of_several_classes(label, three.probability, classes)
    trivial = of_several_classes(label, three.constant, classes)
    rows = {row[0]: row[1:] for row in cells(page, "On the holdout, as packaged")}
    assert rows == {name: [f"{expected[name]:.4f}", f"{trivial[name]:.4f}"] for name in expected}
    idle = -np.log(three.constant[0][np.searchsorted(classes, label)])
    gained = (idle - losses(three))[np.argsort(three.holdout[ROW_HASH].to_numpy())]
    drawn = resamples(len(label), 1000) @ gained / len(label)
    low = np.quantile(drawn, 0.025, method="lower")
    assert trained[1].gated.reasons[:2] == (
        f"there is no champion yet; log_loss {expected['log_loss']:.4f} against "
        f"{trivial['log_loss']:.4f} of the baseline: difference "
        f"{trivial['log_loss'] - expected['log_loss']:+.4f}, lower bound {low:+.4f}, above +0 is "
        "required",
        f"accuracy {expected['accuracy']:.4f}, at least 0.9 is required",
    )
    assert version.tags[TRAIN_RUN_TAG] == latest_run(three.workspace, TRAIN)
