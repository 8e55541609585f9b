"""Parts of a source, checked and answered, each into what waits for it: the work of any engine."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.scoring.ahead import in_order
from pipelines.scoring.answers import AnsweredPart, answer_rows, answer_schema, logged_rows
from pipelines.scoring.checked import BadRow, check_part
from pipelines.scoring.job import request_id
from pipelines.scoring.pieces import RowPart
from pipelines.scoring.stage import Sink
from serving.requests.arrow_columns import CheckedBatch, with_time_flags
from serving.scoring.score_batch import score_batch
from serving.scoring.version import ServedVersion

MILLISECONDS = 1000
Progress = Callable[[int], None]  # is told how many rows were looked at


@dataclass(frozen=True)
class Asked:
    """What a job asks of every row, wherever the row is answered."""

    job: str
    started_ms: int
    hidden: Pseudonymiser | None  # what the log must not hold; None: the answers are not logged
    set_apart: bool


@dataclass(frozen=True)
class Sinks:
    """What waits for answers and for rows of the log; None: they are there already."""

    answers: Sink | None
    log: Sink | None


@dataclass
class Counted:
    """What became of rows."""

    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)
    flags: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Counted") -> None:
        """Rows that come after these."""
        self.rows += other.rows
        self.bad += other.bad
        self.flags.update(other.flags)


def through(
    asked: Asked,
    served: ServedVersion,
    parts: Iterable[tuple[int, RowPart]],
    sinks: Sinks,
    progress: Progress,
    threads: int,
) -> Counted:
    """Answer numbered parts, in order. Refused names a row that does not fit."""
    started = datetime.fromtimestamp(asked.started_ms / MILLISECONDS, UTC)
    schema = answer_schema(served.use_case, served.scorer.classes)
    counted = Counted()

    def answered(given: tuple[int, CheckedBatch]) -> AnsweredPart:
        number, timeless = given
        checked = with_time_flags(timeless, served.use_case, started)
        answers = score_batch(served.scorer, checked.rows, served.use_case)
        return AnsweredPart(checked, answers, request_id(asked.job, asked.started_ms, number))

    checked = _checked(asked, served, parts, counted.bad, progress)
    for part in in_order(answered, checked, threads):
        if sinks.answers is not None:
            sinks.answers.write(answer_rows(part, schema, served))
        if sinks.log is not None and asked.hidden is not None:
            sinks.log.write(logged_rows(part, served, asked.hidden, started))
        counted.rows += part.checked.rows.num_rows
        counted.flags.update({flag: int(mask.sum()) for flag, mask in part.checked.flags.items()})
    return counted


def _checked(
    asked: Asked,
    served: ServedVersion,
    parts: Iterable[tuple[int, RowPart]],
    bad: list[BadRow],
    progress: Progress,
) -> Iterator[tuple[int, CheckedBatch]]:
    """The checked rows of each part; those that do not fit are added to `bad`."""
    done = 0
    for number, part in parts:
        checked, apart = check_part(part, served.use_case, asked.set_apart)
        bad += apart
        yield number, checked
        done += part.rows.num_rows
        progress(done)
