"""A class of one's own is served from this installation's file with that hash, or not at all."""

import json
from pathlib import Path

import pytest
import skops.io

from contract.errors import BadInput, Refused
from contract.names import SCORER_DIR, USE_CASE_FILE
from contract.store.frames import feature_table
from contract.use_case.loader import frozen
from contract.use_case.model import UseCase
from contract.use_case.sections.serving import Serving
from pipelines.compiler.compile import write_scorer
from pipelines.model.refusal import refusal
from pipelines.package import seal
from serving.scoring.own_code import OwnClass, find_own
from serving.scoring.scorer import SCORER_FILE
from serving.scoring.sklearn_scorer import MODEL_FILE, foreign_types
from serving.scoring.version import check_golden, load_version
from tests.support.compiled import allowing, fitted, made

CODE = """
from pathlib import Path
from sklearn.linear_model import LogisticRegression

with open("{log}", "a") as log:
    log.write("run ")


class Mine(LogisticRegression):
    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]
"""


def with_code(home: Path, code: str = CODE) -> UseCase:
    """A use case in a folder of its own, with its class beside it."""
    (folder := home / "beside").mkdir()
    (folder / "my_model.py").write_text(code.replace("{log}", str(home / "log")))
    case = allowing("binary", "my_model:Mine", {})
    source = case.source.model_copy(update={"folder": str(folder)})
    return case.model_copy(update={"source": source})


def packaged(folder: Path, case: UseCase) -> Path:
    """A sealed package of a model of the user's own class."""
    folder.mkdir()
    own = find_own(case.estimator.path, Path(case.source.folder))
    model = fitted(case, {"C": 0.5})
    skops.io.dump(model, folder / MODEL_FILE)
    (folder / USE_CASE_FILE).write_text(frozen(case))
    rows = feature_table(made(seed=2), case)
    write_scorer(folder / SCORER_DIR, model, case, rows, own)
    seal(folder)
    return folder


def test_it_is_served_with_its_file(home: Path) -> None:
    case = with_code(home)
    assert refusal(case) is None
    package = packaged(home / "package", case)
    beside = Path(case.source.folder)
    check_golden(load_version(package, "made", "1", code=beside))
    assert foreign_types(package) == []
    (beside / "my_model.py").rename(beside / "my_model_of_march.py")  # older code may stay beside
    (beside / "my_model.py").write_text("something = 'else'")
    check_golden(load_version(package, "made", "1", code=beside))


def test_the_package_tells_the_hash_of_its_code(home: Path) -> None:
    case = with_code(home)
    plan = json.loads((packaged(home / "package", case) / SCORER_DIR / SCORER_FILE).read_text())
    own = OwnClass(**plan["own_class"])
    assert own == find_own("my_model:Mine", Path(case.source.folder))
    assert len(own.sha256) == 64
    assert "estimator" in plan["not_compiled"]


def refused(package: Path, code: Path | None) -> str:
    with pytest.raises(Refused) as error:
        load_version(package, "made", "1", code=code)
    return str(error.value)


def test_it_is_refused_without_the_very_file(home: Path) -> None:
    case = with_code(home)
    package = packaged(home / "package", case)
    (empty := home / "empty").mkdir()
    assert "needs my_model.py, and no folder of code is named" in refused(package, None)
    assert f"the folder {empty} of this installation holds no such file" in refused(package, empty)
    (empty / "my_model.py").write_text(CODE + "# changed")
    (empty / "something_else.py").write_text("")
    assert "of this installation holds my_model.py with" in refused(package, empty)


def test_no_code_of_a_package_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = with_code(home)
    package = packaged(home / "package", case)
    code = (Path(case.source.folder) / "my_model.py").read_text()
    (package / "my_model.py").write_text(code)
    (package / f"{find_own('my_model:Mine', package).module}.py").write_text(code)
    seal(package)
    (empty := home / "empty").mkdir()
    (home / "log").write_text("")
    monkeypatch.chdir(package)
    assert "holds no such file" in refused(package, empty)
    assert (home / "log").read_text() == ""


def test_it_needs_the_word_of_the_use_case(home: Path) -> None:
    case = with_code(home).model_copy(update={"serving": Serving()})
    assert "does not compile; with serving: {allow_sklearn: true}" in str(refusal(case))
    package = packaged(home / "package", case)
    assert "serving.allow_sklearn: true" in refused(package, Path(case.source.folder))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("class Mine: pass", "my_model:Mine is no scikit-learn estimator"),
        ("Mine = 1 / 0", "can't be run: ZeroDivisionError"),
        ("import nothing_of_that_name", "can't be run: ModuleNotFoundError"),
    ],
)
def test_code_that_is_no_estimator_is_refused_by_a_sentence(
    home: Path, code: str, said: str
) -> None:
    case = with_code(home, code)
    assert said in str(refusal(case))
    with pytest.raises((BadInput, Refused)):
        fitted(case, {})
