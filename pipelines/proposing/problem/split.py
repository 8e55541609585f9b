"""How the holdout is drawn: the newest rows, whole groups, or rows at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.columns.left_out import is_entity, is_identifier
from pipelines.proposing.inferred import Certainty, Inferred
from pipelines.proposing.question import Answers, Question

SMALL_ROWS = 1000
SHARE, SHARE_OF_FEW = 0.2, 0.3
FEWEST_GROUPS = 10
ROWS_OF_A_GROUP = 1.5
RANDOM = "random"


@dataclass(frozen=True)
class ProposedSplit:
    """The section `split` with why, the column of its groups, and what is asked."""

    how: Inferred[dict[str, Any]]
    group: str | None = None
    questions: tuple[Question, ...] = ()


def split_of(
    columns: Sequence[SeenColumn],
    keys: Sequence[str],
    target: str,
    event_time: str | None,
    answers: Answers,
) -> ProposedSplit:
    """The split that keeps what a model will not know out of its training."""
    share = SHARE if columns[0].rows >= SMALL_ROWS else SHARE_OF_FEW
    if event_time:
        why = f"the newest {share:.0%} by {event_time}, as the model will meet newer rows"
        return ProposedSplit(Inferred({"by": "time", "holdout_share": share}, why))
    apart = {*keys, target}
    groups = [c for c in columns if c.name not in apart and _repeats(c)]
    random = {"by": "random", "holdout_share": share, "seed": 0}
    if not groups:
        return ProposedSplit(Inferred(random, "no event time, and no column says whose rows are"))
    question = _question(groups)
    answer = answers.get(question.name)
    chosen = answer or question.assumed
    why = "as answered" if answer else f"several rows share a {chosen}"
    sure: Certainty = "sure" if answer else "a guess"
    if chosen == RANDOM:
        return ProposedSplit(Inferred(random, why, sure), None, (question,))
    by_group = {"by": "group", "column": chosen, "holdout_share": share, "seed": 0}
    return ProposedSplit(Inferred(by_group, why, sure), chosen, (question,))


def _repeats(column: SeenColumn) -> bool:
    """Whether it names whom a row is about, and several rows are about the same."""
    if column.kind not in ("integer", "string") or column.nulls:
        return False
    named = is_entity(column.name) or (is_identifier(column.name) and column.distinct > 20)
    return (
        named
        and column.distinct >= FEWEST_GROUPS
        and (column.rows >= column.distinct * ROWS_OF_A_GROUP)
    )


def _question(groups: Sequence[SeenColumn]) -> Question:
    names = tuple(c.name for c in groups)
    first = groups[0]
    return Question(
        "split",
        f"{', '.join(names)} comes again: {first.rows:,} rows share {first.distinct:,} "
        f"values of {first.name}. If the model will meet others, whole groups belong on one side "
        f"of the split ({' or '.join(names)}); if it will meet the same ones again, draw rows "
        "(random). Which?",
        names[0],
        (*names, RANDOM),
    )
