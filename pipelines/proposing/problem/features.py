"""Which columns a model may learn from: those left when all others have said why not."""

from collections.abc import Collection, Mapping, Sequence

from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.columns.leakage import Leak
from pipelines.proposing.columns.left_out import why_left_out
from pipelines.proposing.inferred import LeftOut
from pipelines.proposing.question import Answers, Question

LEAVE_OUT, KEEP = "leave out", "keep"


def features_of(
    columns: Mapping[str, SeenColumn], apart: Sequence[str | None], timed: Collection[str]
) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Names of features, and what is left out, among the columns that are nothing else.

    Of those in `timed` the model sees parts."""
    others = [column for name, column in columns.items() if name not in apart]
    reasons = {
        column.name: None if column.name in timed else why_left_out(column) for column in others
    }
    left_out = tuple(why for why in reasons.values() if why)
    return tuple(name for name, why in reasons.items() if not why), left_out


def without_leaks(
    features: tuple[str, ...], suspected: Sequence[Leak], target: str, answers: Answers
) -> tuple[tuple[str, ...], tuple[LeftOut, ...], tuple[Question, ...]]:
    """The features unless a suspected one is to be left out, which is asked."""
    if not suspected:
        return features, (), ()
    named = "; ".join(f"{leak.name}: {leak.why}" for leak in suspected)
    question = Question(
        "leakage",
        f"some columns know {target} nearly by themselves ({named}). Is such a column known when "
        "a prediction is asked for (keep), or only with the answer or after it (leave out)?",
        LEAVE_OUT,
        (LEAVE_OUT, KEEP),
    )
    if answers.get(question.name, LEAVE_OUT) == KEEP:
        return features, (), (question,)
    leaking = {leak.name for leak in suspected}
    left_out = tuple(LeftOut(leak.name, f"leakage: {leak.why}") for leak in suspected)
    return tuple(n for n in features if n not in leaking), left_out, (question,)
