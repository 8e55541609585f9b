"""What is loaded from a package, and what is refused with which reason."""

import hashlib
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.naive_bayes import GaussianNB

from contract.errors import Refused
from contract.names import SCORER_DIR, USE_CASE_FILE
from contract.package import MANIFEST_FILE
from contract.store.frames import feature_table
from contract.use_case.loader import frozen
from contract.use_case.model import UseCase
from contract.use_case.sections.serving import Serving
from pipelines.compiler.compile import write_scorer
from pipelines.model.refusal import refusal
from pipelines.package import seal
from serving.scoring.agreement import compare
from serving.scoring.scorer import GRAPH_FILE, SCORER_FILE
from serving.scoring.sklearn_scorer import (
    MODEL_FILE,
    foreign_types,
    load_pipeline,
    pipeline_scorer,
)
from serving.scoring.version import GOLDEN_FILE, PARITY_FILE, check_golden, load_version
from tests.support.compiled import N_ROWS, allowing, declared, fitted, made

NOT_COMPILED = r"Step 'estimator' \(GaussianNB\) can't be compiled"


def packaged(folder: Path, use_case: UseCase) -> Path:
    """A sealed package of a model that can't be compiled."""
    folder.mkdir()
    model = fitted(use_case, use_case.estimator.parameters)
    skops.io.dump(model, folder / MODEL_FILE)
    (folder / USE_CASE_FILE).write_text(frozen(use_case))
    rows = feature_table(made(seed=2), use_case)
    written = write_scorer(folder / SCORER_DIR, model, use_case, rows)
    assert written.parity is None
    seal(folder)
    return folder


def test_what_was_not_compiled_is_refused_by_its_step(home: Path) -> None:
    folder = packaged(home / "package", declared("binary", "sklearn.naive_bayes.GaussianNB"))
    with pytest.raises(Refused, match=NOT_COMPILED) as refused:
        load_version(folder, "made", "3")
    assert "Version 3 of made can't be served" in str(refused.value)
    assert "serving.allow_sklearn: true" in str(refused.value)


def test_it_is_served_by_its_pipeline_where_the_use_case_says_so(home: Path) -> None:
    plain = declared("binary", "sklearn.naive_bayes.GaussianNB")
    use_case = plain.model_copy(update={"serving": Serving(allow_sklearn=True)})
    served = load_version(packaged(home / "package", use_case), "made", "3")
    check_golden(served)
    expected = pipeline_scorer(fitted(use_case, {}), use_case).score(made(seed=3))
    assert compare(served.scorer.score(made(seed=3)), expected).max_difference == 0


def test_it_is_refused_with_the_reason_where_scikit_learn_is_not_installed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = declared("binary", "sklearn.naive_bayes.GaussianNB")
    use_case = plain.model_copy(update={"serving": Serving(allow_sklearn=True)})
    package = packaged(home / "package", use_case)
    monkeypatch.delitem(sys.modules, "serving.scoring.sklearn_scorer", raising=False)
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(Refused, match=r"skops(\.io)? is not installed here: an image"):
        load_version(package, "made", "3")


BRACKETS = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (USE_CASE_FILE, f"name: made\nx: {BRACKETS}"),
        (USE_CASE_FILE, "name: made\nx: " + ":".join("1" * 1_000_000)),
        (f"{SCORER_DIR}/{SCORER_FILE}", BRACKETS),
    ],
)
def test_a_copy_that_never_ends_is_refused_at_once(home: Path, file: str, text: str) -> None:
    """The check of a service gets 60 s at each poll; none of them may use them up."""
    folder = packaged(home / "package", declared("binary", "sklearn.naive_bayes.GaussianNB"))
    (folder / file).write_text(text, encoding="utf-8")
    seal(folder)
    started = time.process_time()
    with pytest.raises(Refused, match="can't be served"):
        load_version(folder, "made", "3")
    assert time.process_time() - started < 5


SVC = {"estimator": {"path": "sklearn.svm.SVC"}, "cv": 2, "ensemble": False}
SERVED: list[tuple[str, dict[str, Any]]] = [
    ("sklearn.neighbors.KNeighborsClassifier", {"metric": "manhattan"}),
    ("sklearn.neural_network.MLPClassifier", {"hidden_layer_sizes": [5, 4], "solver": "lbfgs"}),
    ("sklearn.calibration.CalibratedClassifierCV", SVC),
    ("sklearn.calibration.CalibratedClassifierCV", {"method": "isotonic", "cv": 2}),
    ("sklearn.naive_bayes.GaussianNB", {}),
    ("sklearn.naive_bayes.MultinomialNB", {}),
]


@pytest.mark.parametrize(("path", "parameters"), SERVED)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_they_are_trained_packaged_loaded_and_scored(
    home: Path, path: str, parameters: dict[str, Any]
) -> None:
    use_case = allowing("binary", path, parameters)
    assert refusal(use_case) is None
    package = packaged(home / "package", use_case)
    assert foreign_types(package) == []
    served = load_version(package, "made", "3")
    check_golden(served)
    rows = made(seed=3) | {"colour": ["never seen", None] * (N_ROWS // 2)}
    expected = pipeline_scorer(fitted(use_case, parameters), use_case).score(rows)
    assert compare(served.scorer.score(rows), expected).holds


@pytest.fixture
def changed(package: Path, home: Path) -> Path:
    """A copy of the trained package, to be changed and sealed anew."""
    return Path(shutil.copytree(package, home / "changed"))


def rewrite(folder: Path, name: str, **changes: Any) -> str:
    """Change a JSON file of the scorer; its new SHA-256."""
    file = folder / SCORER_DIR / name
    text = json.dumps(json.loads(file.read_text()) | changes)
    file.write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_scorer_without_its_proof_is_refused(changed: Path) -> None:
    rewrite(changed, PARITY_FILE, rows=1)
    seal(changed)
    with pytest.raises(Refused, match="without the proof that it answers like the pipeline"):
        load_version(changed, "penguins", "1")


def test_a_proof_that_does_not_hold_is_refused(changed: Path) -> None:
    digest = rewrite(changed, PARITY_FILE, holds=False)
    rewrite(changed, SCORER_FILE, parity=digest)
    seal(changed)
    with pytest.raises(Refused, match="without the proof"):
        load_version(changed, "penguins", "1")


@pytest.mark.parametrize(
    ("file", "content"),
    [(GRAPH_FILE, b"\x00graph"), (SCORER_FILE, b"{"), (SCORER_FILE, b"{}"), (GOLDEN_FILE, b"[]")],
)
def test_a_damaged_scorer_is_refused(changed: Path, file: str, content: bytes) -> None:
    (changed / SCORER_DIR / file).write_bytes(content)
    seal(changed)
    with pytest.raises(Refused, match="Version 1 of penguins can't be served"):
        load_version(changed, "penguins", "1")


def test_a_manifest_that_is_none_is_refused(changed: Path) -> None:
    (changed / MANIFEST_FILE).write_text("[]")
    with pytest.raises(Refused, match="is no mapping of file names to SHA-256"):
        load_version(changed, "penguins", "1")


def test_a_file_that_holds_no_pipeline_is_refused(home: Path) -> None:
    skops.io.dump(GaussianNB(), home / MODEL_FILE)
    with pytest.raises(Refused, match="holds no scikit-learn pipeline, found GaussianNB"):
        load_pipeline(home / MODEL_FILE)


@pytest.mark.parametrize("name", [GOLDEN_FILE, SCORER_FILE, PARITY_FILE, GRAPH_FILE])
def test_a_missing_part_is_refused(changed: Path, name: str) -> None:
    (changed / SCORER_DIR / name).unlink()
    seal(changed)
    with pytest.raises(Refused, match="can't be served"):
        check_golden(load_version(changed, "penguins", "1"))


def test_the_digest_is_that_of_the_manifest(changed: Path) -> None:
    assert seal(changed) == load_version(changed, "penguins", "1").digest
