"""What a change does to a model: four changes to the penguins, and whom they are held against."""

import sqlite3
from pathlib import Path

import pytest

from contract.errors import BadInput, Refused
from contract.use_case.loader import load_use_case
from pipelines import ci_report
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.release.pull_request.comment import marker
from pipelines.runtime.workspace import open_workspace
from tests.conftest import settle
from tests.support.project import PROJECT

SHIPPED = PROJECT / "use_cases/penguins.yaml"
CHAMPION = "C: 0.02"


@pytest.fixture(scope="module")
def with_champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose champion has room above and below it."""
    folder = tmp_path_factory.mktemp("champion")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        with open_workspace(load_use_case(changed(folder, "C: 1.0", CHAMPION))) as opened:
            pipeline(opened, Rehearsal(), tune=0)
    return folder


def changed(home: Path, before: str, now: str) -> str:
    """The penguins' file with one change; its path."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert before in text
    file = home / "penguins.yaml"
    file.write_text(text.replace(before, now), encoding="utf-8")
    return str(file)


def report(home: Path, use_case: str) -> tuple[bool, str]:
    """Whether the change may go on, and the comment."""
    output = home / "comment.md"
    try:
        ci_report.main(use_case, base="HEAD", output=str(output))
    except Refused:
        return False, output.read_text(encoding="utf-8")
    return True, output.read_text(encoding="utf-8")


def contents(folder: Path) -> dict[str, object]:
    """Every row of registry and runs, and every file of the tables."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        rows = list(database.iterdump())
    files = {p: p.read_bytes() for p in sorted((folder / "data").rglob("*")) if p.is_file()}
    return {"database": rows, "files": files}


@pytest.mark.parametrize(
    ("now", "good", "says"),
    [
        (
            "C: 1.0",
            True,
            ("✅", ": better", "| `estimator.parameters.C`&emsp; | 0.02&emsp; | 1.0 |"),
        ),
        (CHAMPION, True, ("✅", "as good as before", "Nothing in the declaration")),
        ("C: 0.001", False, ("❌", "may not reach users", "of champion version 1")),
        ("C: -1.0", False, ("❌", "makes no model", "'C' parameter")),
    ],
    ids=["better", "equal", "worse", "broken"],
)
def test_a_change_is_held_against_the_champion_and_nothing_is_touched(
    with_champion: Path,
    monkeypatch: pytest.MonkeyPatch,
    now: str,
    good: bool,
    says: tuple[str, ...],
) -> None:
    monkeypatch.chdir(with_champion)
    found = contents(with_champion)
    passed, comment = report(with_champion, changed(with_champion, "C: 1.0", now))
    assert passed is good
    assert comment.startswith(marker("penguins"))
    assert [words for words in says if words not in comment] == []
    assert contents(with_champion) == found


def test_a_file_that_can_t_be_read_makes_no_model_and_the_job_shows_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(home / "summary.md"))
    passed, comment = report(home, changed(home, "task: multiclass", "task: magic"))
    assert not passed
    assert comment.startswith(marker("penguins"))
    assert "this change makes no model" in comment and "magic" in comment
    assert (home / "summary.md").read_text(encoding="utf-8") == comment


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"base": "no-such-branch"}, "'no-such-branch' is no commit of this repository"),
        ({"pull_request": "seven"}, "the number of a pull request is needed, found 'seven'"),
        ({"pull_request": "7"}, "GITHUB_TOKEN and GITHUB_REPOSITORY must be set"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], said: str
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    broken = changed(home, "task: multiclass", "task: magic")
    with pytest.raises(BadInput, match=said):
        ci_report.main(broken, **{"base": "HEAD", "output": str(home / "comment.md")} | asked)
