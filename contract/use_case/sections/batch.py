"""Rows that are answered by the clock: the section `batch` of a use case."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from contract.names import TableName
from contract.use_case.sections.schedule import cron_said
from contract.use_case.sections.section import Section
from contract.use_case.sections.source import KINDS, SourcePlace


class BatchSource(SourcePlace):
    """Where the rows are that are answered: any kind of source, or a table of the use case."""

    kinds: ClassVar[Mapping[str, str]] = {**KINDS, "table": "table"}

    table: TableName | None = None
    """A table of the use case itself, e.g. raw."""


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
