"""What a process says that is interrupted, or fails, before a command's own code runs."""

import sys

import pytest

from contract.interrupted import say_one_line


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
