"""Which code this is, and a use case by the name that another work tree knows it by."""

from pathlib import Path

import pytest

from contract.errors import Refused
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.git_commit import UNKNOWN, checkout, commit, in_checkout


def test_without_git_nothing_is_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    assert commit() == (UNKNOWN, UNKNOWN)


def test_a_commit_that_is_not_there_is_named() -> None:
    absent = "0123456789" * 4
    with pytest.raises(Refused, match=f"Commit {absent} can't be checked out"), checkout(absent):
        pass


def test_a_use_case_is_found_from_another_work_tree(home: Path) -> None:
    (home / "mine.yaml").touch()
    there = Path("/elsewhere")
    shipped = str(PROJECT / "use_cases/penguins.yaml")
    assert in_checkout("penguins", there) == "penguins"
    assert in_checkout(shipped, there) == "/elsewhere/use_cases/penguins.yaml"
    assert in_checkout("mine.yaml", there) == str(home / "mine.yaml")
