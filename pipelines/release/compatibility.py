"""Compatibility: whether what callers send the champion today would still be answered.

Every difference that can turn an answer into an error, change what an answer means, or keep its
record out of the table, is named.
"""

from collections.abc import Iterator

from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column

# A value of the first type is also one of the second, exactly.
WIDENED = {("integer", "number")}


def breaks(
    champion: UseCase,
    challenger: UseCase,
    champion_classes: tuple[object, ...],
    challenger_classes: tuple[object, ...],
) -> tuple[str, ...]:
    """What the challenger would break for callers of the champion, one sentence each."""
    broken = [*_inputs(champion, challenger), *_records(champion, challenger)]
    if challenger.task != champion.task:
        broken.append(f"the task was {champion.task} and is {challenger.task}")
    answered, answers = (case.answer_type for case in (champion, challenger))
    if answers != answered:
        broken.append(f"the answer was of type {answered} and is {answers}")
    # Probabilities are answered in the order of the classes, so the order counts too.
    if challenger_classes != champion_classes:
        old, new = (", ".join(map(str, c)) for c in (champion_classes, challenger_classes))
        broken.append(f"the classes were {old or 'none'} and are {new or 'none'}")
    return tuple(broken)


def incomparable(champion: UseCase, challenger: UseCase) -> str:
    """Why the champion can't answer rows of the challenger's data; "" where it can."""
    if (champion.task, champion.target) != (challenger.task, challenger.target):
        return "it answers another question"
    for name in champion.inputs:
        if name not in challenger.columns:
            return f"it needs column {name}, which is no longer declared"
        old, new = champion.columns[name].type, challenger.columns[name].type
        if new != old and (old, new) not in WIDENED:
            return f"it needs column {name} as {old}, which is {new} now"
    return ""


def _inputs(champion: UseCase, challenger: UseCase) -> Iterator[str]:
    accepted = _accepted(challenger)
    for name, column in _accepted(champion).items():
        if name not in accepted:
            yield f"column {name} is no longer accepted"
        else:
            for what in _narrowed(column, accepted[name]):
                yield f"column {name}: {what}"
    for name in challenger.inputs:
        if name not in champion.inputs:
            yield f"column {name} is needed from now on"
    if _in_order(champion, challenger) != _in_order(challenger, champion):
        yield "the order of the columns changed, which rows sent as plain lists rely on"


def _records(champion: UseCase, challenger: UseCase) -> Iterator[str]:
    """Columns whose values would no longer fit the tables of the log, where callers notice none."""
    after = challenger.log_types
    for name, before in champion.log_types.items():
        if name not in after or after[name] == before or (after[name], before) in WIDENED:
            continue
        if not _retyped(champion.columns[name], challenger.columns[name]):
            yield (
                f"column {name}: the log holds it as {before}, so as {after[name]} no record of it "
                "would reach the table; give it a new name, or move the table away"
            )


def _in_order(case: UseCase, other: UseCase) -> list[str]:
    return [name for name in case.inputs if name in other.inputs]


def _accepted(case: UseCase) -> dict[str, Column]:
    """Columns that a caller may send: the inputs, and keys and event time, which may be null."""
    time = [case.event_time] if case.event_time else []
    loose = {n: case.columns[n].model_copy(update={"nullable": True}) for n in [*case.keys, *time]}
    return loose | {name: case.columns[name] for name in case.inputs}


def _retyped(old: Column, new: Column) -> bool:
    return new.type != old.type and (old.type, new.type) not in WIDENED


def _narrowed(old: Column, new: Column) -> Iterator[str]:
    if _retyped(old, new):
        yield f"its type was {old.type} and is {new.type}"
    if new.unit != old.unit:
        yield f"its unit was {old.unit or 'none'} and is {new.unit or 'none'}"
    if old.nullable and not new.nullable:
        yield "null was accepted and is refused"
    if new.unseen == "reject" and new.categories:
        accepted = old.categories if old.unseen == "reject" else None
        if not accepted:
            yield "any text was accepted, now only its categories are"
        elif gone := sorted(set(accepted) - set(new.categories)):
            yield f"refused from now on: {', '.join(gone)}"
    if new.out_of_range == "reject" and _range_narrowed(old, new):
        yield f"values outside {_shown(new.min)} to {_shown(new.max)} are refused from now on"


def _range_narrowed(old: Column, new: Column) -> bool:
    strict = old.out_of_range == "reject"
    low, high = (old.min, old.max) if strict else (None, None)
    below = new.min is not None and (low is None or new.min > low)
    above = new.max is not None and (high is None or new.max < high)
    return below or above


def _shown(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:g}"
