"""Parts of a source, checked and answered, each into what waits for it: the work of any engine."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa

from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.scoring.ahead import in_order
from pipelines.scoring.answers import AnsweredPart, answer_rows, answer_schema, logged_rows
from pipelines.scoring.checked import BadRow, check_part
from pipelines.scoring.job import request_id
from pipelines.scoring.pieces import RowPart
from pipelines.scoring.stage import Sink
from serving.requests.arrow_columns import with_time_flags
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
    counted, looked_at = Counted(), 0
    for done in in_order(partial(_answered, asked, served, sinks), parts, threads):
        if sinks.answers is not None and done.answers is not None:
            sinks.answers.write(done.answers)
        if sinks.log is not None and done.log is not None:
            sinks.log.write(done.log)
        counted.add(done.counted)
        looked_at += done.rows
        progress(looked_at)
    return counted


@dataclass(frozen=True)
class _Done:
    """What comes of a part: tables for the sinks that want them."""

    rows: int  # that were looked at
    counted: Counted
    answers: pa.Table | None
    log: pa.Table | None


def _answered(
    asked: Asked, served: ServedVersion, sinks: Sinks, given: tuple[int, RowPart]
) -> _Done:
    """All that a part needs but reading and writing, which are done in the order of the parts."""
    (number, read), use_case = given, served.use_case
    started = datetime.fromtimestamp(asked.started_ms / MILLISECONDS, UTC)
    timeless, bad = check_part(read, use_case, asked.set_apart)
    checked = with_time_flags(timeless, use_case, started)
    answers = score_batch(served.scorer, checked.rows, use_case)
    part = AnsweredPart(checked, answers, request_id(asked.job, asked.started_ms, number))
    flags = Counter({flag: int(mask.sum()) for flag, mask in checked.flags.items()})
    made, log = None, None
    if sinks.answers is not None:
        made = answer_rows(part, answer_schema(use_case, served.scorer.classes), served)
    if sinks.log is not None and asked.hidden is not None:
        log = logged_rows(part, served, asked.hidden, started)
    return _Done(read.rows.num_rows, Counted(checked.rows.num_rows, bad, flags), made, log)
