"""A command before its own code runs: what it says when it is stopped, what it collects."""

import subprocess
import sys

import pytest

from contract.start import say_one_line


@pytest.mark.parametrize(
    ("error", "said"),
    [(KeyboardInterrupt(), "Stopped.\n"), (ImportError("no skops"), "ImportError: no skops\n")],
)
def test_an_interruption_is_one_line_and_other_errors_are_told_as_python_does(
    error: BaseException,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    say_one_line()
    sys.excepthook(type(error), error, None)
    assert capsys.readouterr().err == said


def test_a_command_looks_for_garbage_seldom_and_not_in_what_it_imported() -> None:
    told = "import gc, pipelines, contract.start as start; start.keep_imported(); "
    told += "kept = gc.get_freeze_count(); loop = []; loop.append(loop); del loop; "
    told += "start.keep_imported(); print(gc.get_threshold()[0], kept > 1000, gc.collect() > 0)"
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["100000", "True", "True"]
