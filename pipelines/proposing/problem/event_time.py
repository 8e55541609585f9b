"""When a row happened, and by which clock: the one time that is never empty, else a question."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from contract.errors import BadInput
from contract.names import BESIDE_EVENT_TIME
from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.columns.parts import BORN
from pipelines.proposing.inferred import Inferred
from pipelines.proposing.question import Answers, Question

NONE = "none"


@dataclass(frozen=True)
class ProposedTime:
    """The column of the event time (None: there is none), its clock, and what is asked of both."""

    column: Inferred[str | None]
    zone: Inferred[str]
    questions: tuple[Question, ...] = ()


def event_time_of(columns: Sequence[SeenColumn], target: str, answers: Answers) -> ProposedTime:
    """The event time among the columns; `time_zone` in the answers is the clock of naive times."""
    times = [c for c in columns if c.kind == "timestamp" and c.name != target]
    fit = [c for c in times if _fits(c)]
    if not fit:
        why = "no column is a time" if not times else "no time is in every row"
        return ProposedTime(Inferred(None, why), Inferred("UTC", "no times"))
    asked: list[Question] = []
    column: Inferred[str | None] = Inferred(fit[0].name, "the one time that every row has")
    if len(fit) > 1:
        question = _which(fit)
        asked.append(question)
        name = answers.get(question.name)
        column = Inferred(name or fit[0].name, "as answered" if name else "the first of several")
        column = column if name else Inferred(column.value, column.why, "a guess")
        if name == NONE:
            return ProposedTime(Inferred(None, "as answered"), Inferred("UTC", ""), (question,))
    chosen = next((c for c in fit if c.name == column.value), fit[0])
    zone, question_of_zone = _zone(chosen, answers)
    asked += [question_of_zone] if question_of_zone else []
    return ProposedTime(column, zone, tuple(asked))


def _fits(column: SeenColumn) -> bool:
    named = column.name.lower()
    return (
        column.nulls == 0
        and named not in BESIDE_EVENT_TIME
        and (not any(part in named for part in BORN))
    )


def _which(fit: Sequence[SeenColumn]) -> Question:
    ends = "; ".join(f"{c.name}, {c.ends[0]:%Y-%m-%d} to {c.ends[1]:%Y-%m-%d}" for c in fit)
    names = tuple(c.name for c in fit)
    return Question(
        "event_time",
        f"several columns are times that every row has ({ends}). Which is the moment "
        "at which a prediction is asked for? Of the others a model may see the hour or the weekday",
        names[0],
        (*names, NONE),
    )


def _zone(column: SeenColumn, answers: Answers) -> tuple[Inferred[str], Question | None]:
    given = answers.get("time_zone", "")
    if given and (why := _unknown(given)):
        raise BadInput(f"answers: time_zone: {why}")
    if not column.typed.naive:
        why = f"{column.name} has offsets; days begin by this clock"
        return Inferred(given or "UTC", why), None
    first = f"{column.ends[0]:%Y-%m-%d %H:%M}"
    question = Question(
        "time_zone",
        f"{column.name} holds times without an offset, first {first}. By which "
        "clock were they written, e.g. Europe/Berlin, America/New_York or UTC?",
        "UTC",
        wrong=_unknown,
    )
    if given:
        return Inferred(given, f"as answered, for {column.name} has no offsets"), question
    return Inferred("UTC", f"{column.name} has no offsets", "a guess"), question


def _unknown(name: str) -> str:
    try:
        ZoneInfo(name)
        return ""
    except (ValueError, OSError, KeyError):
        close = get_close_matches(name, sorted(available_timezones()), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "one like Europe/Berlin is needed"
        return f"no zone of the name {name!r} is known; {hint}"
