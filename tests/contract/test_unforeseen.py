"""An error that nobody foresaw: one sentence without a value, and a trace where it says."""

import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from contract import command
from contract.errors import Refused
from contract.unforeseen import remember_place, sentence
from pipelines.runtime import cli
from tests.serving.log.test_log import no_file_larger_than

SECRET = "could not convert 'Ada Lovelace' to a number"


def fail() -> None:
    raise ValueError(SECRET)


def full() -> None:
    raise OSError(28, "No space left on device", "/srv/tables")


def refused() -> None:
    raise Refused("a sentence of ours")


def services(main: Callable[[], None]) -> None:
    command.run(main)


def pipelines(main: Callable[[], None]) -> None:
    cli.execute(main)


@pytest.fixture(autouse=True)
def typed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/pipelines/train.py"])
    monkeypatch.setattr("tempfile.tempdir", str(home))
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.mark.parametrize("run", [services, pipelines])
def test_it_is_one_sentence_and_the_trace_a_file_of_the_user_s_own(
    run: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for _ in range(2):  # the same trace again is the same file
        with pytest.raises(SystemExit) as ended:
            run(fail)
        said = capsys.readouterr().err
        assert ended.value.code == 1
        assert said.startswith("train met an error that nobody foresaw: ValueError at tests/")
        assert "Lovelace" not in said
        assert len(said.splitlines()) == 1
        (file,) = re.findall(r"the trace stands in (\S+\.txt)\.", said)
        assert SECRET in Path(file).read_text(encoding="utf-8")
        assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
        files.append(file)
    assert files[0] == files[1]


def test_what_the_machine_says_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        pipelines(full)
    assert "OSError ([Errno 28] No space left on device: '/srv/tables')" in capsys.readouterr().err


def lost() -> None:
    raise MlflowException("no connection", TEMPORARILY_UNAVAILABLE)


def tables_lost() -> None:
    raise OSError("Kernel error -> Generic S3 error\n  Server returned non-2xx status code")


@pytest.mark.parametrize(
    ("work", "which"), [(lost, "tracking store"), (tables_lost, "store of the tables")]
)
def test_a_store_that_went_away_is_for_later(
    work: Callable[[], None], which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        pipelines(work)
    assert ended.value.code == 3
    said = f"The {which} stopped answering while the command ran; try again later.\n"
    assert capsys.readouterr().err == said


def test_a_sentence_of_ours_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        services(refused)
    assert capsys.readouterr().err == "a sentence of ours\n"


def test_the_place_that_holds_the_trace_already_is_named() -> None:
    error = ValueError(SECRET)
    remember_place(error, "trace.txt of run 1")
    assert sentence(error).endswith("ValueError; the trace stands in trace.txt of run 1.")


def test_where_no_file_can_be_written_that_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(home / "gone"))
    said = sentence(ValueError(SECRET))
    assert "stands in no file, for none can be written: No such file or directory" in said


def test_half_a_trace_is_no_trace(home: Path) -> None:
    with no_file_larger_than(10):
        assert "for none can be written: File too large" in sentence(ValueError(SECRET))
    assert list(home.iterdir()) == []
    (file,) = re.findall(r"stands in (\S+\.txt)\.", sentence(ValueError(SECRET)))
    assert SECRET in Path(file).read_text(encoding="utf-8")


def test_nobody_s_link_is_followed(home: Path) -> None:
    error = ValueError(SECRET)
    first = re.findall(r"stands in (\S+\.txt)\.", sentence(error))[0]
    Path(first).unlink()
    (home / "theirs").write_text("kept")
    Path(first).symlink_to(home / "theirs")
    sentence(error)
    assert (home / "theirs").read_text() == "kept"
