"""The comment, where texts of others or their number would break it."""

from dataclasses import replace

import pytest

from contract.store.tables import TableVersion
from pipelines.data.validated import Validated
from pipelines.model.comparison import Difference
from pipelines.model.results import Trained
from pipelines.release.decision import decide
from pipelines.release.gate_evidence import GateEvidence, NoChampion
from pipelines.release.pull_request.changes import FileChange, ValueChange
from pipelines.release.pull_request.comment import (
    LONGEST,
    Changes,
    Judged,
    Review,
    comment,
    marker,
)
from tests.pipelines.release.test_decision import CHAMPION, EQUAL, GATES, GOOD


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


def test_the_first_line_says_what_a_change_is_worth() -> None:
    table = TableVersion("training", 1, 300, "0123456789abcdef")
    validated = Validated.model_construct(
        raw=table, rows_checked=300, rows_quarantined=0, expectations_passed=1, expectations_total=1
    )
    validated = validated.model_copy(update={"warnings": (), "notes": ()})
    trained = Trained.model_construct(training=table, holdout=table)

    def first_line(evidence: GateEvidence) -> str:
        judged = Judged(GATES, evidence, decide(GATES, evidence), validated, trained)
        return comment(replace(broken("", Changes()), judged=judged)).splitlines()[2]

    better = replace(EQUAL, difference=Difference(0.05, 0.01, 0.09, 0.02))
    over_baseline = replace(EQUAL, difference=Difference(0.2, 0.1, 0.3, 0.05))
    same = replace(EQUAL, difference=Difference(0.0, 0.0, 0.0, 0.0))
    said = [
        first_line(replace(GOOD, opponent=opponent)).partition(": ")[2]
        for opponent in (
            replace(CHAMPION, comparison=better),
            CHAMPION,
            replace(CHAMPION, comparison=same),
            NoChampion(over_baseline),
            replace(CHAMPION, comparison=None),
        )
    ]
    assert said == [
        "better, accuracy +0.0500 [+0.0100, +0.0900]",
        "not worse, accuracy +0.0000 [-0.0100, +0.0100]",
        "as good as before",
        "this change may reach users",
        "this change may not reach users",
    ]
