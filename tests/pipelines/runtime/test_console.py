"""What a person sees: texts of others are neither markup nor an error, and lines fit."""

import io

import pytest
from rich.console import Console

from pipelines.runtime.console import rows, summary, working


def test_brackets_in_a_text_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with working("reading [/bold] [red]rows"):
        summary("A [/b] title", {"why [/i]": "[link=http://evil.example]because[/x]"}, {})
    said = capsys.readouterr().err
    for text in ("[/bold] [red]rows", "A [/b] title", "[link=http://evil.example]because[/x]"):
        assert text in said


def test_what_goes_into_a_file_has_no_padding(capsys: pytest.CaptureFixture[str]) -> None:
    summary("Title", {"short": "1", "longer name": "2"}, {"look": "fourcycle ui"})
    rows("Moves", ("#", "why"), [("1", "because"), ("2", "")])
    said = capsys.readouterr().err
    assert "because" in said
    assert [line for line in said.splitlines() if line != line.rstrip()] == []


def test_on_a_narrow_screen_each_row_is_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    screen = Console(file=written, width=60)
    monkeypatch.setattr("pipelines.runtime.console.console", lambda: screen)
    why = "the gate passed: roc_auc 0.75 against 0.74 of champion version 1"
    rows("Moves", ("#", "move", "why"), [("1", "promote", why), ("2", "reject", "")])
    lines = [line.strip() for line in written.getvalue().splitlines()]
    assert lines[:4] == ["Moves", "", "#     1", "move  promote"]
    assert lines[-3:-1] == ["#     2", "move  reject"]  # what is empty has no line
    assert why in " ".join(" ".join(lines).split())


def test_on_a_terminal_work_is_a_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    screen = Console(file=written, width=60, force_terminal=True)
    monkeypatch.setattr("pipelines.runtime.console.console", lambda: screen)
    with working("reading [red]rows"):
        pass
    said = written.getvalue()
    assert "reading [red]rows" in said
    assert "\x1b[2K" in said  # the line is erased
