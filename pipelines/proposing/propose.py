"""A use case from the columns of a table: what is inferred, left out, flagged and asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from math import prod

import pyarrow as pa

from contract.errors import BadInput
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import CsvFormat
from pipelines.data.profiling.strange_values import strange_columns
from pipelines.proposing.columns.arrow_types import typed_values
from pipelines.proposing.columns.declared import categories, declared
from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.columns.leakage import Leak, leaks
from pipelines.proposing.columns.parts import parts_of
from pipelines.proposing.columns.types import TypedColumn
from pipelines.proposing.inferred import Inferred, LeftOut
from pipelines.proposing.problem.amounts import amounts_of
from pipelines.proposing.problem.estimator import estimator_of
from pipelines.proposing.problem.event_time import event_time_of
from pipelines.proposing.problem.features import features_of, without_leaks
from pipelines.proposing.problem.keys import keys_of
from pipelines.proposing.problem.split import split_of
from pipelines.proposing.problem.task import task_of
from pipelines.proposing.proposal import Proposal, ProposedProblem
from pipelines.proposing.question import Answers, Ask, settled
from pipelines.proposing.writing.cells import TypedColumns, typed_texts
from pipelines.proposing.writing.texts import RawColumns

MOST_SLICES, SLICE_VALUES = 2, 10
EXACT = 2**53  # up to which a float says every whole number
ROWS_OF_AN_INPUT = 10
Seen = Mapping[str, SeenColumn]


def propose(raw: RawColumns, target: str, answers: dict[str, str], ask: Ask) -> Proposal:
    """The proposal for a target; BadInput where it is no column, or nothing can predict it."""
    _check_target(raw, target)
    typed, unfit = _typed(raw, answers, ask)
    unfit = (*raw.left_out, *unfit)
    if target not in typed.columns:
        raise BadInput(f"target: {target}: {next(u.why for u in unfit if u.name == target)}.")
    seen = {name: SeenColumn(_classes(c, name == target)) for name, c in typed.columns.items()}

    @cache
    def suspected(classifies: bool, names: tuple[str, ...]) -> list[Leak]:
        return leaks(seen[target], [seen[name] for name in names], classifies)

    def infer(given: Answers) -> ProposedProblem:
        found = _problem(seen, target, given)
        sent = tuple(n for n in found.features if n not in found.parts)
        leaking = suspected(found.task.classifies, sent)
        features, left_out, asked = without_leaks(found.features, leaking, target, given)
        left_out = tuple(
            replace(left, declaration=_as_declared(seen[left.name])) for left in left_out
        )
        left_out, asked = (*found.left_out, *left_out), (*found.questions, *asked)
        return replace(found, features=features, left_out=left_out, questions=asked)

    problem = settled(infer, answers, ask)
    problem = replace(problem, left_out=(*unfit, *problem.left_out))
    if not problem.learns:
        raise BadInput(f"data: no column is left to predict {target} from: {_used_up(problem)}.")
    return _written(seen, problem, raw, typed)


def _as_declared(column: SeenColumn) -> str:
    return f"{{type: {column.kind}{', nullable: true' if column.nulls else ''}}}"


def _used_up(problem: ProposedProblem) -> str:
    """What every column is, where none is a feature."""
    apart = [
        f"{name} is its key or its time" for name in problem.declared if name != problem.target
    ]
    return "; ".join([*apart, *(f"{left.name}: {left.why}" for left in problem.left_out[:5])])


def _check_target(raw: RawColumns, target: str) -> None:
    names = list(raw.columns)
    if target in names:
        return
    if left := next((left for left in raw.left_out if left.name == target), None):
        raise BadInput(f"target: {target}: {left.why}.")
    close = get_close_matches(target, names, n=1) or [
        name for name in names if name.strip().lower() == target.strip().lower()
    ]
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names[:30])}"
    raise BadInput(f"target: no column {target!r}; {hint}")


def _typed(
    raw: RawColumns, answers: dict[str, str], ask: Ask
) -> tuple[TypedColumns, tuple[LeftOut, ...]]:
    if raw.kind == "csv":
        found = settled(lambda given: typed_texts(raw.columns, raw.form, given), answers, ask)
        return found, ()
    typed = {name: typed_values(name, values) for name, values in raw.columns.items()}
    unfit = tuple(column for column in typed.values() if isinstance(column, LeftOut))
    fit = {n: column for n, column in typed.items() if isinstance(column, TypedColumn)}
    return TypedColumns(fit, CsvFormat()), unfit


def _classes(column: TypedColumn, is_target: bool) -> TypedColumn:
    """A target of two whole numbers that are written 0.0 and 1.0 is one of integers."""
    if not is_target or column.type.value != "number":
        return column
    values = column.values.unique().drop_null()
    if len(values) != 2 or any(abs(v) > EXACT or v % 1 for v in values.to_pylist()):
        return column
    why = "two whole numbers, however they are written"
    return replace(column, type=Inferred("integer", why), values=column.values.cast(pa.int64()))


def _problem(seen: Seen, target: str, answers: Answers) -> ProposedProblem:
    """All but what a first look at single columns shows."""
    task = task_of(seen[target], answers)
    columns = list(seen.values())
    time = event_time_of(columns, target, answers)
    moment = time.column.value
    keys = keys_of(columns, target, moment)
    split = split_of(columns, keys.value, target, moment, answers)
    apart = (*keys.value, moment, split.group, target)
    zone = time.zone.value
    timed = {c.name: parts_of(c, zone, seen) for c in columns if c.name != target}
    parts = {name: found for name, found in timed.items() if found}
    features, left_out = features_of(seen, apart, parts)
    if not keys.value and (note := _few_inputs([seen[name] for name in features])):
        task = replace(task, notes=(*task.notes, note))
    asked = (*task.questions, *time.questions, *split.questions)
    return ProposedProblem(target, task, time, keys, split, features, parts, left_out, asked)


def _few_inputs(features: Sequence[SeenColumn]) -> str:
    """What a person should know where many rows without a key have the same inputs."""
    if not features:
        return ""
    rows = features[0].rows
    most = prod(column.distinct + bool(column.nulls) for column in features)
    if most * ROWS_OF_AN_INPUT > rows:
        return ""
    return (
        f"keys: {rows:,} rows hold at most {most:,} different inputs, and equal ones fall on "
        "one side of the split, so what is held out may be too little for the gate. Where each "
        "row is somebody else, a key that numbers the rows lets them be drawn one by one"
    )


def _written(
    seen: Seen, problem: ProposedProblem, raw: RawColumns, typed: TypedColumns
) -> Proposal:
    columns = {n: declared(seen[n], problem.parts.get(n, ())) for n in problem.declared}
    moment = problem.time.column.value
    clock = seen[moment].typed.clock if moment else None
    form = typed.form.model_copy(update={"timestamp_format": clock and clock.form.value})
    reasons = {**raw.reasons, **typed.reasons}
    if clock:
        reasons["timestamp_format"] = clock.form.reason
    target = seen[problem.target]
    share = float(problem.split.how.value["holdout_share"])
    slices = [n for n in problem.features if 1 < seen[n].distinct <= SLICE_VALUES]
    return Proposal(
        rows=target.rows,
        problem=problem,
        columns=columns,
        notes=_notes(seen, columns, problem),
        form=form,
        form_reasons=reasons,
        estimator=estimator_of(target, problem.task),
        amounts=amounts_of(target, problem.task, share, seen[moment] if moment else None),
        slices=tuple(n for n in slices if categories(seen[n]))[:MOST_SLICES],
        questions=(*raw.questions, *typed.questions, *problem.questions),
    )


def _notes(
    seen: Seen, columns: Mapping[str, Inferred[dict[str, object]]], problem: ProposedProblem
) -> dict[str, tuple[str, ...]]:
    """What people should look at, by column."""
    kinds = {name: Column.model_validate(found.value) for name, found in columns.items()}
    rows = pa.table({name: seen[name].typed.values for name in columns})
    strange: dict[str, list[str]] = {}
    for note in strange_columns(rows, kinds, problem.keys.value):
        strange.setdefault(note.column, []).append(note.told)
    return {
        name: (*seen[name].typed.notes, *strange.get(name, []), *_of_name(seen[name]))
        for name in columns
    }


def _of_name(column: SeenColumn) -> list[str]:
    if column.kind != "integer" or "year" not in column.name.lower():
        return []
    return ["a year: every later one is new to a model; leave it out where time goes on"]
