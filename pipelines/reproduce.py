"""Reproduce: train a registered version again from its recorded data, code and environment.

Proven when the answers on the holdout are bit-identical; otherwise it says exactly what differs.
Where the code or the lock has changed since, the version's own commit is checked out beside the
project and `mlflow run` trains from there, in that commit's environment.
"""

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow

from contract.errors import BadInput, Refused
from contract.hints import typed
from contract.names import USE_CASE_FILE, experiment
from contract.store.tables import CONTENT_HASH, TableVersion
from contract.use_case.loader import parse_frozen
from pipelines.gate import VersionOption
from pipelines.model.results import Trained
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version, champion_of
from pipelines.runtime import cli
from pipelines.runtime.code_hash import code_hash
from pipelines.runtime.console import console, summary
from pipelines.runtime.git_commit import UNKNOWN, checkout, in_checkout
from pipelines.runtime.step import Done, Result, Step, execute, load_result, lock_hash
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.split import SplitMade
from pipelines.train import STEP as TRAIN
from pipelines.train import fit
from serving.scoring.own_code import find_own
from tracking.tags import (
    CODE_HASH_TAG,
    GIT_COMMIT_TAG,
    GIT_DIRTY_TAG,
    LOCK_HASH_TAG,
    MACHINE,
    OWN_CLASS_TAG,
    PLATFORM_TAG,
    PYTHON_TAG,
    REPRODUCED_TAG,
    REPRODUCIBLE_REASON_TAG,
    REPRODUCIBLE_TAG,
    VERSION_TAG,
    of_machine,
)

LAUNCHED = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")  # what `mlflow run` tells its process


class Reproduced(Result):
    """Whether training again gave the same answers, and what differs."""

    version: str
    identical: bool
    expected: str
    found: str
    differences: tuple[str, ...]

    def line(self) -> str:
        if self.identical:
            return f"version {self.version}: answers on the holdout are bit-identical"
        return f"version {self.version} is not reproduced: {'; '.join(self.differences)}"


STEP = Step("reproduce", Reproduced, cached=False)


def reproduce(workspace: Workspace, version: Version) -> Done[Reproduced]:
    """Train the version again by the code at hand and compare the answers on its holdout."""
    return execute(workspace, STEP, lambda: _reproduce(workspace, version))


def _reproduce(workspace: Workspace, version: Version) -> Reproduced:
    check_reproducible(version)
    trained = load_result(workspace, TRAIN, version.train_run)
    differences = [*_data_differences(workspace, trained), *_code_differences(workspace, trained)]
    if any(d.startswith("data:") for d in differences):
        raise Refused(f"Version {version.version} can't be trained again: {'; '.join(differences)}")
    split = SplitMade(
        training=trained.training, holdout=trained.holdout, rows_unlabelled=0, rows_outside=0
    )
    frozen = _frozen_workspace(workspace, version, trained)
    again = fit(frozen, split, tune=0)
    identical = again.prediction_hash == trained.prediction_hash
    if not identical and not differences:
        differences = ["answers differ although data, code and environment are the same"]
    mlflow.set_tags({VERSION_TAG: version.version, REPRODUCED_TAG: str(identical)})
    return Reproduced(
        version=version.version,
        identical=identical,
        expected=trained.prediction_hash,
        found=again.prediction_hash,
        differences=tuple(differences),
    )


def check_reproducible(version: Version) -> None:
    """Refused where rows that the version was trained on were forgotten."""
    if version.tags.get(REPRODUCIBLE_TAG) == "no":
        reason = version.tags.get(REPRODUCIBLE_REASON_TAG, "")
        raise Refused(f"Version {version.version} can't be trained again: {reason}.")


def _frozen_workspace(workspace: Workspace, version: Version, trained: Trained) -> Workspace:
    """The use case as it was, with the parameters that training settled on (tuned or declared)."""
    with tempfile.TemporaryDirectory() as into:
        folder = fetch(version, Path(into))
        use_case = parse_frozen((folder / USE_CASE_FILE).read_text(encoding="utf-8"), folder)
    estimator = use_case.estimator.model_copy(update={"parameters": trained.parameters})
    # The user's own class comes from beside the use case, never from the package.
    source = use_case.source.model_copy(update={"folder": workspace.use_case.source.folder})
    fixed = use_case.model_copy(update={"estimator": estimator, "source": source})
    return replace(workspace, use_case=fixed)


def _data_differences(workspace: Workspace, trained: Trained) -> Iterator[str]:
    for table in (trained.training, trained.holdout):
        if problem := _table_difference(workspace, table):
            yield f"data: {problem}"


def _table_difference(workspace: Workspace, table: TableVersion) -> str:
    try:
        content = workspace.tables.metadata(table.table, table.version).get(CONTENT_HASH)
    except BadInput as error:
        return str(error)
    return (
        "" if content == table.content_hash else f"{table.table}@{table.version} holds other rows"
    )


def _code_differences(workspace: Workspace, trained: Trained) -> Iterator[str]:
    tags = workspace.client.get_run(trained.run_id).data.tags
    for name, now in (
        (CODE_HASH_TAG, code_hash("pipelines.train")),
        (LOCK_HASH_TAG, lock_hash()),
        (PYTHON_TAG, platform.python_version()),
        (PLATFORM_TAG, platform.platform()),
    ):
        if (was := of_machine(tags, name)) != now:
            yield f"{name.removeprefix(MACHINE)}: was {was or None}, is {now}"
    if trained.code_hash:
        found = find_own(trained.path, Path(workspace.use_case.source.folder)).sha256
        if found != trained.code_hash:
            yield f"{OWN_CLASS_TAG}: was {trained.code_hash}, is {found}"


def _by_its_commit(use_case: str, workspace: Workspace, version: Version, env: str) -> None:
    """Run this step by MLflow at the version's commit; Refused when that did not reproduce it."""
    revision, dirty = version.tags.get(GIT_COMMIT_TAG, UNKNOWN), version.tags.get(GIT_DIRTY_TAG)
    if dirty != "no":
        code = "changed files, which no commit holds" if dirty == "yes" else "an unknown commit"
        raise Refused(
            f"Version {version.version} was trained from {code}; its code can't be had again "
            f"(commit {revision[:12]}, git_dirty={dirty})."
        )
    console().print(f"The code has changed since; training by commit {revision[:12]} ({env}).")
    with checkout(revision) as folder:
        command = ["mlflow", "run", str(folder), "-e", "reproduce", "--env-manager", env]
        command += ["--experiment-name", experiment(workspace.use_case.name, "training")]
        parameters = {
            "use_case": _as_named_there(use_case, folder),
            "root": workspace.settings.table_root,
            "version": version.version,
        }
        command += [
            word for name, value in parameters.items() for word in ("-P", f"{name}={value}")
        ]
        # MLflow, which may have started this process, named an experiment, and takes one alone.
        environment = {k: v for k, v in os.environ.items() if k not in LAUNCHED}
        if subprocess.run(command, env=environment, check=False).returncode:
            raise Refused(f"Version {version.version} is not reproduced by its own commit.")


def _as_named_there(use_case: str, folder: Path) -> str:
    """The use case for the code in another folder: its own file where it has one, else this one."""
    there, here = in_checkout(use_case, folder), Path(use_case).expanduser()
    return str(here.resolve()) if here.is_file() and not Path(there).is_file() else there


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    version: VersionOption = "",
) -> None:
    """Reproduce: train a version again (empty: the champion) and compare its answers."""
    with open_workspace(use_case, root) as workspace:
        asked = Version.read(workspace, version) if version else champion_of(workspace)
        if asked is None:
            raise BadInput(f"{workspace.model_name!r} has no champion; name a version.")
        check_reproducible(asked)
        tags = workspace.client.get_run(asked.train_run).data.tags
        same_lock = tags.get(LOCK_HASH_TAG) == lock_hash()
        here = same_lock and of_machine(tags, CODE_HASH_TAG) == code_hash("pipelines.train")
        if here:
            _report(reproduce(workspace, asked).result)
    if not here:  # outside the lock, which the other process takes
        _by_its_commit(use_case, workspace, asked, "local" if same_lock else "uv")


def _report(result: Reproduced) -> None:
    facts = {"expected": result.expected, "found": result.found}
    facts["differences"] = json.dumps(result.differences) if result.differences else "none"
    summary(result.line(), facts, {"compare the two runs": typed("ui")})
    if not result.identical:
        raise Refused(f"Version {result.version} is not reproduced.")


if __name__ == "__main__":
    cli.run(main)
