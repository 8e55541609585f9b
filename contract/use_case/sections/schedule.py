"""When each job runs, and which rows are answered by the clock."""

import re
from typing import Literal, Self, get_args

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from contract.use_case.sections.section import Section
from contract.use_case.sections.source import BatchSource

# Of those due at once, in this order.
Job = Literal["feedback", "pipeline", "batch", "monitor", "retrain", "maintain"]
ELSEWHERE: Job = "batch"  # its section says when it runs
# What every cron knows; Kubernetes has neither `L` nor `#`.
CRON = re.compile(r"[\d*/,A-Za-z-]+(?: [\d*/,A-Za-z-]+){4}")


def cron_said(cron: str | None) -> str | None:
    """An expression of five fields as it is; ValueError where it is none."""
    if cron is not None and not CRON.fullmatch(cron):
        raise ValueError(
            "minute, hour, day, month and weekday are needed, e.g. '15 2 * * *' for a quarter "
            "past two each day"
        )
    return cron


class Schedule(Section):
    """When each job runs, in the use case's time zone; a job that is left out does not run.

    Cron expressions have five fields: minute, hour, day, month, weekday. docs/schedule.md. Without
    `look_back` it follows from the length of the declared windows.
    """

    feedback: str | None = None
    """When label files are imported."""
    pipeline: str | None = None
    """When rows are collected and a version is trained."""
    monitor: str | None = None
    """When windows are judged."""
    retrain: str | None = None
    """When the verdicts are asked whether to train again."""
    maintain: str | None = None
    """When tables are compacted and old rows end."""
    labels: str | None = Field(default=None, pattern=r"\.(csv|parquet)$")
    """Files that the import reads: a pattern, from the folder of the use case's tables."""
    look_back: int | None = Field(default=None, ge=1, le=1000)
    """How many ended windows are looked at again for late labels."""
    attempts: int = Field(default=3, ge=1, le=20)
    """Tries of a job in a row before it counts as failed."""
    retry_s: float = Field(default=60, gt=0, allow_inf_nan=False)
    """Shortest time between two tries, seconds; it doubles with each."""
    deadline_s: float = Field(default=3600, gt=0, allow_inf_nan=False)
    """How long a job may take, seconds."""

    @property
    def jobs(self) -> dict[Job, str]:
        """The jobs of this section that run, each with its cron expression."""
        names: tuple[Job, ...] = get_args(Job)
        return {name: cron for name in names if (cron := getattr(self, name, None)) is not None}

    @field_validator(*(name for name in get_args(Job) if name != ELSEWHERE))
    @classmethod
    def _is_cron(cls, cron: str | None) -> str | None:
        return cron_said(cron)

    @model_validator(mode="after")
    def _labels_come_from_somewhere(self) -> Self:
        if self.feedback is not None and self.labels is None:
            raise ValueError("feedback needs labels, the files that hold them, e.g. inbox/*.csv")
        return self


class Batch(Section):
    """Rows that `score` answers when the cron expression says so; docs/batch.md."""

    source: BatchSource
    """Where the rows are: one of the kinds of `source`, or `table`."""
    target: str = Field(min_length=1)
    """Where the answers go: a .parquet or .csv file, a folder (`answers/`), or a Delta table."""
    bad_rows: Literal["stop", "quarantine"] = "stop"
    """Whether a row that does not fit stops the job or is set apart, beside the target."""
    cron: str | None = None
    """When they are answered; left out, only by `fourcycle score`."""

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, cron: str | None) -> str | None:
        return cron_said(cron)
