"""Whether target, positive class and slices fit each other and the task."""

from collections.abc import Iterator

from contract.use_case.model import UseCase
from contract.use_case.sections.column import ColumnType
from pipelines.proposing.checking.finding import CheckFinding, error

# What a value of the file has to be, by the type of the column that it stands for.
VALUES: dict[ColumnType, tuple[type, ...]] = {
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
}
WORDS = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}


def check(use_case: UseCase) -> Iterator[CheckFinding]:
    """What the file says of the target; which classes there are is for the rows to show."""
    yield from _task(use_case)
    yield from _apart(use_case)
    yield from positive(use_case)


def _task(use_case: UseCase) -> Iterator[CheckFinding]:
    kind = use_case.columns[use_case.target].type
    if use_case.classifies and kind == "timestamp":
        yield error(
            f"target: the classes of a {use_case.task} task are text, whole numbers or booleans; "
            f"{use_case.target} is of type {kind}"
        )
    if not use_case.classifies and kind not in ("integer", "number"):
        yield error(
            f"target: a regression predicts a number, {use_case.target} is of type {kind}; with "
            "classes the task is binary or multiclass"
        )


def _apart(use_case: UseCase) -> Iterator[CheckFinding]:
    target = use_case.target
    if target in use_case.keys:
        yield error(f"target: {target} is a key too, and a key is known before the answer")
    if target == use_case.event_time:
        yield error(f"target: {target} is the event time too; one of the two is another column")
    slices = {"evaluation": use_case.evaluation.slices}
    slices["monitoring"] = use_case.monitoring.slices or ()
    for section, names in slices.items():
        if target in names:
            yield error(
                f"{section}.slices[{names.index(target)}]: {target} is the target, by which no "
                "row can be told apart before its answer; take a feature or a key"
            )


def positive(use_case: UseCase) -> Iterator[CheckFinding]:
    """Whether the positive class can be a value of the target at all."""
    given, column = use_case.positive, use_case.columns[use_case.target]
    if given is None:
        return
    if use_case.task != "binary":
        yield error(f"positive: only a binary task has a positive class, this is {use_case.task}")
        return
    fits = isinstance(given, VALUES.get(column.type, ()))
    if column.type != "boolean" and isinstance(given, bool):
        fits = False  # Python takes true for a whole number
    if not fits:
        mend = WORDS.get(column.type, f"one of its words, in quotes: '{given}'")
        yield error(
            f"positive: {given!r} is no value of {use_case.target}, whose type is "
            f"{column.type}; {mend} is needed"
        )
    elif column.categories is not None and given not in column.categories:
        yield error(
            f"positive: {given!r} is none of the categories of {use_case.target}: "
            f"{', '.join(column.categories)}"
        )
