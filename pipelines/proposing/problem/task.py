"""What kind of answer the target asks for: the task, its positive class and its metric."""

from dataclasses import dataclass

from contract.errors import BadInput
from contract.use_case.model import Task
from contract.use_case.sections.estimator import Scalar
from pipelines.proposing.columns.facts import LONGEST, SeenColumn
from pipelines.proposing.inferred import Inferred
from pipelines.proposing.question import Answers, Question

MOST_CLASSES = 20
CLASS_ROWS = 10
RARE = 0.05
OWN_SHARE = 0.5
NAMED = 5


@dataclass(frozen=True)
class ProposedTask:
    """The task with why, what of it is asked, and what a person should know."""

    task: Inferred[Task]
    metric: Inferred[str]
    positive: Inferred[Scalar] | None = None
    questions: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def classifies(self) -> bool:
        return self.task.value != "regression"


def task_of(target: SeenColumn, answers: Answers) -> ProposedTask:
    """The task that a target's values ask for; BadInput where they are no target at all."""
    _check(target)
    if target.distinct == 2 and _are_classes(target):
        return _binary(target)
    if target.kind == "string":
        return _multiclass(target, f"{target.distinct} different texts")
    if target.kind == "integer" and target.distinct <= MOST_CLASSES:
        return _either(target, answers)
    what = "whole numbers" if target.kind == "integer" else "numbers"
    return _regression(target, f"{target.distinct:,} different {what}")


def _check(target: SeenColumn) -> None:
    given = target.rows - target.nulls
    if target.distinct < 2:
        found = "no value" if not target.distinct else f"one value in all {given:,} rows"
        raise BadInput(f"target: {target.name} has {found}; there is nothing to tell apart.")
    if target.kind == "timestamp":
        raise BadInput(
            f"target: {target.name} is a time, and a task predicts classes or a number; let the "
            "source give the number of days, or another column."
        )
    if target.kind == "string" and target.distinct > max(2, given * OWN_SHARE):
        raise BadInput(
            f"target: {target.name} holds {target.distinct:,} different texts in {given:,} rows, "
            "so hardly a class comes twice; a column of classes or of numbers is needed."
        )


def _are_classes(target: SeenColumn) -> bool:
    return target.kind != "number" or all(float(v).is_integer() for v, _ in target.by_count)


def _binary(target: SeenColumn) -> ProposedTask:
    (common, _), (rare, rows) = target.by_count
    share = rows / (target.rows - target.nulls)
    positive: Scalar = int(rare) if target.kind == "number" else rare
    metric = (
        Inferred("average_precision", f"{share:.1%} of the rows are positive, under {RARE:.0%}")
        if share < RARE
        else Inferred("roc_auc", f"a binary task with {share:.0%} of the rows positive")
    )
    return ProposedTask(
        Inferred("binary", f"{target.name} has two values"),
        metric,
        Inferred(
            positive, f"the rarer one, {rows:,} rows ({share:.1%}); not {_said(common)}", "likely"
        ),
        notes=_rare_classes(target),
    )


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _multiclass(target: SeenColumn, why: str, sure: bool = True) -> ProposedTask:
    return ProposedTask(
        Inferred("multiclass", why, "sure" if sure else "a guess"),
        Inferred("log_loss", "it judges the probabilities of all classes"),
        notes=_rare_classes(target),
    )


def _regression(target: SeenColumn, why: str, sure: bool = True) -> ProposedTask:
    return ProposedTask(
        Inferred("regression", why, "sure" if sure else "a guess"),
        Inferred("rmse", "in the unit of the target; the estimator makes squared errors small"),
    )


def _either(target: SeenColumn, answers: Answers) -> ProposedTask:
    """Few whole numbers: classes, a count or a grade; only people know."""
    whole = ", ".join(str(value) for value, _ in sorted(target.by_count)[:NAMED])
    many = ", …" if target.distinct > NAMED else ""
    rarest = target.by_count[-1][1]
    assumed = "multiclass" if rarest >= CLASS_ROWS else "regression"
    question = Question(
        "task",
        f"{target.name} holds {target.distinct} different whole numbers ({whole}{many}; the "
        f"rarest in {rarest:,} rows). Are they classes (multiclass) or a number (regression)? "
        "Estimator and metric go with it.",
        assumed,
        ("multiclass", "regression"),
    )
    answer = answers.get("task")
    make = _multiclass if (answer or assumed) == "multiclass" else _regression
    found = make(target, f"{target.distinct} different whole numbers", answer is not None)
    return ProposedTask(found.task, found.metric, None, (question,), found.notes)


def _rare_classes(target: SeenColumn) -> tuple[str, ...]:
    rare = [(value, rows) for value, rows in target.by_count if rows < CLASS_ROWS]
    if not rare:
        return ()
    said = ", ".join(f"{str(value)[:LONGEST]!r} ({rows})" for value, rows in rare[:NAMED])
    more = f" and {len(rare) - NAMED} more" if len(rare) > NAMED else ""
    return (
        f"target: classes of fewer than {CLASS_ROWS} rows can hardly be learned or judged: "
        f"{said}{more}; join them, or get more rows",
    )
