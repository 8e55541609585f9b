"""The release check against real packages that are damaged, foreign or trapped."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import skops.io
import yaml
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from contract.errors import Refused
from contract.settings import read_settings
from pipelines.main import Outcome
from pipelines.package import seal
from pipelines.registry.versions import Version
from pipelines.release.release_check import check_release
from pipelines.runtime.workspace import Workspace, connected, open_releases
from tracking.tags import PACKAGE_TAG

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def package(trained: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package of a real version."""
    (source,) = (trained[0] / "mlruns").glob("*/*/artifacts/model/manifest.json")
    folder = tmp_path_factory.mktemp("package") / "model"
    shutil.copytree(source.parent, folder)
    return folder


@pytest.fixture
def workspace(home: Path, empty_store: Path) -> Workspace:
    shutil.copy(empty_store / "mlflow.db", home)
    return open_releases("penguins")


def version_of(package: Path, home: Path, change: Change, sealed: bool) -> Version:
    """A version whose package was changed, before it was sealed and registered or after."""
    folder = home / "model"
    shutil.copytree(package, folder)
    if sealed:
        change(folder)
        digest = seal(folder)
    else:
        digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        change(folder)
    return Version("7", "Staging", "", str(folder), {PACKAGE_TAG: digest})


def nothing(folder: Path) -> None:
    assert folder.is_dir()


def truncate(name: str) -> Change:
    def change(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return change


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def other_answers(folder: Path) -> None:
    file = folder / "scorer" / "golden.json"
    golden = json.loads(file.read_text())
    golden["probability"] = [row[::-1] for row in golden["probability"]]
    file.write_text(json.dumps(golden))


def missing_requirement(folder: Path) -> None:
    with (folder / "requirements.txt").open("a") as file:
        file.write("\nno-such-package-of-ours==1.0\n")


def other_signature(folder: Path) -> None:
    declared = yaml.safe_load((folder / "MLmodel").read_text())
    inputs = json.loads(declared["signature"]["inputs"])
    declared["signature"]["inputs"] = json.dumps(inputs[:-1])
    (folder / "MLmodel").write_text(yaml.safe_dump(declared))


def stricter(folder: Path) -> None:
    """The service refuses rows that the scorer answers."""
    file = folder / "use_case.yaml"
    declared = yaml.safe_load(file.read_text())
    declared["columns"]["body_mass_g"] |= {"max": 1001, "out_of_range": "reject"}
    file.write_text(yaml.safe_dump(declared, sort_keys=False))


def touch(path: str) -> str:
    """The trap: who runs it leaves a trace."""
    Path(path).touch()
    return path


def foreign_type(folder: Path) -> None:
    trap = FunctionTransformer(touch, kw_args={"path": str(folder.parent / "executed")})
    skops.io.dump(Pipeline([("trap", trap)]), folder / "model.skops")


def own_code(folder: Path) -> None:
    trap = f"from pathlib import Path\nPath({str(folder.parent / 'executed')!r}).touch()\n"
    (folder / "code").mkdir()
    for name in ("trap.py", "sitecustomize.py", "onnxruntime.py"):
        (folder / "code" / name).write_text(trap)
        (folder / name).write_text(trap)
    declared = yaml.safe_load((folder / "MLmodel").read_text())
    declared["flavors"]["python_function"] |= {"loader_module": "trap", "code": "code"}
    (folder / "MLmodel").write_text(yaml.safe_dump(declared))


def retired_key(folder: Path) -> None:
    file = folder / "use_case.yaml"
    declared = yaml.safe_load(file.read_text())
    declared["evaluation"]["threshold"] = 0.4
    file.write_text(yaml.safe_dump(declared, sort_keys=False))


@pytest.mark.parametrize("change", [nothing, retired_key])
def test_a_version_as_it_was_packaged_passes_though_a_key_of_its_time_is_retired(
    package: Path, workspace: Workspace, home: Path, change: Change
) -> None:
    checked = check_release(workspace, version_of(package, home, change, sealed=True))
    assert checked.golden_rows > 0


@pytest.mark.parametrize(
    ("change", "sealed", "said"),
    [
        (truncate("scorer/model.onnx"), False, "differing: scorer/model.onnx"),
        (truncate("scorer/model.onnx"), True, "can't be served"),
        (truncate("model.skops"), True, "BadZipFile"),
        (truncate("manifest.json"), False, "not the one that was registered"),
        (remove("manifest.json"), False, "No such file"),
        (remove("use_case.yaml"), True, "No such file"),
        (remove("scorer/golden.json"), True, "holds no scorer/golden.json"),
        (other_answers, True, "on its .* golden rows the answers are up to"),
        (stricter, True, "golden rows by POST /predict: 422 .*column 'body_mass_g'"),
        (missing_requirement, True, "not installed here: no-such-package-of-ours"),
        (other_signature, True, "its signature is not that of its use case"),
        (foreign_type, True, "types that are not trusted: .*touch"),
        (own_code, True, "brings code of its own"),
    ],
)
def test_what_is_wrong_is_refused_with_the_reason_and_nothing_of_it_runs(
    package: Path, workspace: Workspace, home: Path, change: Change, sealed: bool, said: str
) -> None:
    version = version_of(package, home, change, sealed)
    with pytest.raises(Refused, match=f"Version 7 failed the release check: .*{said}"):
        check_release(workspace, version)
    assert not (home / "executed").exists()


def test_answers_that_take_too_long_are_refused(
    package: Path, workspace: Workspace, home: Path
) -> None:
    hurried = workspace.use_case.model_copy(
        update={"release": workspace.use_case.release.model_copy(update={"check_s": 0.05})}
    )
    version = version_of(package, home, nothing, sealed=True)
    with pytest.raises(Refused, match=r"its check took longer than 0\.05 s"):
        check_release(connected(hurried, read_settings(), "releases"), version)
