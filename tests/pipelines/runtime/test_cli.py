"""What all commands share: their flags."""

import pytest
import typer

from pipelines.runtime.cli import flag


@pytest.mark.parametrize(
    ("word", "means"), [("", False), ("no", False), ("0", False), (" Yes ", True), ("true", True)]
)
def test_a_flag_is_a_word(word: str, means: bool) -> None:
    assert flag(word) is means


def test_another_word_is_no_flag() -> None:
    with pytest.raises(typer.BadParameter, match="yes or no is needed, found 'maybe'"):
        flag("maybe")
