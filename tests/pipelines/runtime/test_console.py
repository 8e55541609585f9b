"""What a person sees: texts of others are neither markup nor an error."""

import pytest

from pipelines.runtime.console import summary, working


def test_brackets_in_a_text_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with working("reading [/bold] [red]rows"):
        summary("A [/b] title", {"why [/i]": "[link=http://evil.example]because[/x]"}, {})
    said = capsys.readouterr().err
    for text in ("[/bold] [red]rows", "A [/b] title", "[link=http://evil.example]because[/x]"):
        assert text in said
