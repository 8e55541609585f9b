"""The comment, where texts of others or their number would break it."""

import pytest

from pipelines.release.pull_request.changes import FileChange, ValueChange
from pipelines.release.pull_request.comment import LONGEST, Changes, Review, comment, marker


def broken(why: str, changes: Changes) -> Review:
    return Review("made", "Made <b>rows</b>", "0123456789abcdef", "nobody", None, why, 0, changes)


def test_texts_of_others_are_text() -> None:
    facts = [ValueChange("a`b|c", "<img src=x>", "@everybody")]
    text = comment(broken("no <script> of [mine](http://x)", Changes(declared=facts)))
    assert text.startswith(marker("made"))
    assert "<script>" not in text and "<img" not in text and "<b>" not in text
    assert "@everybody" not in text and "of \\[mine\\](" in text
    assert "| `a'b\\|c`" in text


@pytest.mark.parametrize("line", ["```", "+```", "- ``````"])
def test_no_line_of_a_card_ends_its_block(line: str) -> None:
    text = comment(broken("why", Changes(card=f"-a\n{line}\n+<b>b</b>")))
    fence = text.partition("<summary>Model card</summary>\n\n")[2].partition("diff\n")[0]
    assert set(fence) == {"`"} and fence not in line


def test_many_files_are_counted_and_a_long_comment_is_cut_with_a_word() -> None:
    changed = [FileChange(f"file{i}", 1, None) for i in range(40)]
    text = comment(broken("why", Changes(files=changed)))
    assert "… and 10 more." in text and "| binary |" in text
    long = comment(broken("why", Changes(card="x" * 2 * LONGEST)))
    assert len(long) < 65_536 and long.endswith("holds all of it.\n")
