"""What rows can't tell and nobody may guess: questions, and the answers given so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol, TypeVar

from contract.errors import BadInput

NAMES = (
    "encoding", "duplicates", "comma", "null_values", "timestamp_format", "task", "event_time",
    "time_zone", "split", "leakage",
)  # fmt: skip
Answers = Mapping[str, str]
# Asks a person; None where nobody is there to answer.
Ask = Callable[["Question"], str] | None


@dataclass(frozen=True)
class Question:
    """What is asked, and what the file says until it is answered.

    Without `choices` any text may answer, which `wrong` says is none (a sentence, or "").
    """

    name: str
    text: str
    assumed: str
    choices: tuple[str, ...] = ()
    wrong: Callable[[str], str] = lambda _: ""


class Asking(Protocol):
    """A part of a proposal that may leave something open."""

    @property
    def questions(self) -> tuple[Question, ...]: ...


T = TypeVar("T", bound=Asking)


def settled(infer: Callable[[Answers], T], answers: dict[str, str], ask: Ask) -> T:
    """What is inferred once a person has answered what it asks; `answers` comes to hold those."""
    while True:
        found = infer(answers)
        for question in found.questions:
            if question.name in answers:
                answers[question.name] = checked(question, answers[question.name])
        left = [q for q in found.questions if q.name not in answers]
        if not left or ask is None:
            return found
        answers[left[0].name] = checked(left[0], ask(left[0]))


def checked(question: Question, answer: str) -> str:
    """The answer; BadInput where it is none to this question."""
    if question.choices and answer not in question.choices:
        close = get_close_matches(answer, question.choices, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"one of {', '.join(question.choices)}"
        raise BadInput(f"answers: {question.name}: found {answer!r}; {hint}")
    if why := question.wrong(answer):
        raise BadInput(f"answers: {question.name}: {why}")
    return answer


def unanswered(questions: tuple[Question, ...], answers: Answers) -> tuple[Question, ...]:
    """The questions that are still open."""
    return tuple(q for q in questions if q.name not in answers)


def read_answers(text: str) -> dict[str, str]:
    """Answers of the command line: `task=regression; time_zone=Europe/Berlin`."""
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, sign, answer = part.partition("=")
        if not sign:
            raise BadInput(
                f"answers: name=answer is needed between semicolons, found {part!r}, e.g. "
                "'task=regression; time_zone=Europe/Berlin'."
            )
        found[name.strip()] = answer.strip()
    return found
