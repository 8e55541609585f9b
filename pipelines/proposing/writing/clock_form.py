"""How times are written that are not ISO 8601: day or month first is asked unless a day shows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contract.store.cells import ISO, SPACES
from pipelines.proposing.inferred import Inferred
from pipelines.proposing.question import Question
from pipelines.sources.proposals import CLOCKS, DAYS

LATEST_MONTH = 12
WORDED = ("%d %b %Y", "%b %d %Y", "%d-%b-%Y", "%d %B %Y", "%B %d, %Y", "%b %d, %Y")
ZONED = ("%Y-%m-%d %H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %z")
FORMS = (*(day + clock for day in (*DAYS, *WORDED) for clock in CLOCKS), *ZONED)
FIRST_TWO = re.compile(r"\s*(\d{1,2})([./-])(\d{1,2})[./-]\d{4}")


@dataclass(frozen=True)
class ClockForm:
    """The format of times (None: ISO 8601), and a question where two would read them all."""

    form: Inferred[str | None]
    question: Question | None = None


def is_iso(cells: Sequence[str]) -> bool:
    """Whether every cell is written as ISO 8601 writes a time."""
    return bool(cells) and all(ISO.fullmatch(cell.strip(SPACES)) for cell in cells)


def clock_form(name: str, cells: Sequence[str], answer: str = "") -> ClockForm | None:
    """The format of a column's times from texts of it; None where they are no times."""
    if is_iso(cells):
        return ClockForm(Inferred(None, "every cell is a time in ISO 8601"))
    fitting = [form for form in FORMS if cells and all(_reads(cell, form) for cell in cells)]
    if not fitting:
        return None
    form, example = fitting[0], cells[0].strip()
    if len(fitting) == 1 or not FIRST_TWO.match(example):
        return ClockForm(Inferred(form, f"a time is written {_day_over_12(cells) or example}"))
    form = answer if answer in fitting else form
    read = " or ".join(f"{_told(example, f)} ({f})" for f in fitting)
    question = Question(
        "timestamp_format",
        f"{name} holds times like {example}, and no day above 12 "
        f"tells day from month. Is that {read}?",
        form,
        tuple(fitting),
    )
    return ClockForm(
        Inferred(form, f"a time is written {example}", "sure" if answer else "a guess"), question
    )


def _day_over_12(cells: Sequence[str]) -> str:
    """A cell whose day can't be a month; "" where days and months are not told by numbers."""
    for cell in cells:
        found = FIRST_TWO.match(cell)
        if found and max(int(found[1]), int(found[3])) > LATEST_MONTH:
            return cell.strip()
    return ""


def _reads(cell: str, form: str) -> bool:
    try:
        datetime.strptime(cell.strip(SPACES), form)
    except ValueError:
        return False
    return True


def _told(cell: str, form: str) -> str:
    day = datetime.strptime(cell, form)
    return f"{day.day} {day:%B %Y}"
