"""Where rows come from: the section `source` of a use case."""

import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from contract.names import TableName
from contract.use_case.sections.section import Section

EXPECTED_UNITS = {unit: timedelta(**{f"{unit}s": 1}) for unit in ("minute", "hour", "day", "week")}
EXPECTED = re.compile(rf"[1-9]\d{{0,3}} ({'|'.join(EXPECTED_UNITS)})s?")
# Every kind of source by its key, and the field of `Source` that holds it.
KINDS = {
    "python": "python",
    "csv": "csv",
    "parquet": "parquet",
    "json": "json_lines",
    "sql": "sql",
    "delta": "delta",
}


class Sql(Section):
    """Rows of a query; the URL is SQLAlchemy's, `${NAME}` in it is read from the environment."""

    url: str
    """SQLAlchemy's address of a database; `${NAME}` in it is read from the environment."""
    query: str
    """The query whose rows are read."""


class Delta(Section):
    """A Delta table, at its newest version unless one is named."""

    path: str
    """Folder or address of a Delta table."""
    version: int | None = Field(default=None, ge=0)
    """The table version that is read; left out, the newest."""


class CsvFormat(Section):
    """How a CSV file is written; docs/csv.md. Words stand beside those that always hold.

    The empty field is always null, `true` and `false` in any case are always booleans. Times are in
    ISO 8601 unless a format of Python's strptime says otherwise.
    """

    delimiter: str = Field(default=",", pattern=r"^[^\r\n\"\w]$")
    """What stands between cells."""
    decimal: Literal[".", ","] = "."
    """The sign of decimals."""
    thousands: str | None = Field(default=None, pattern=r"^[^\w\r\n\"+-]$")
    """The sign that groups thousands; left out, there is none."""
    encoding: str = "utf-8"
    """How the file's bytes are text, by Python's names."""
    null_values: tuple[str, ...] = ()
    """Words that mean a missing value, beside the empty cell."""
    true_values: tuple[str, ...] = ()
    """Words that mean yes, beside `true`."""
    false_values: tuple[str, ...] = ()
    """Words that mean no, beside `false`."""
    timestamp_format: str | None = None
    """How times are written, by Python's strptime; left out, ISO 8601."""

    @field_validator("null_values", "true_values", "false_values", mode="before")
    @classmethod
    def _are_quoted(cls, words: object) -> object:
        """YAML makes values of some words: yes is true, NULL is null, 1 is a number."""
        for word in words if isinstance(words, list | tuple) else ():
            if not isinstance(word, str):
                raise ValueError(f"a word is needed, YAML made {word!r} of one; quote it, '…'")
        return words

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(
                "no encoding that Python knows, e.g. utf-8, latin-1, cp1252 or utf-16"
            ) from None
        return codecs.lookup(encoding).name

    @field_validator("delimiter")
    @classmethod
    def _is_ascii(cls, sign: str) -> str:
        if not sign.isascii():
            raise ValueError("a sign of ASCII is needed; write the file with another one")
        return sign

    @field_validator("timestamp_format")
    @classmethod
    def _reads_what_it_writes(cls, form: str | None) -> str | None:
        if form and "%Z" in form:
            raise ValueError("%Z reads a name and keeps no offset; write times with %z")
        if form and ("%p" in form) != ("%I" in form):  # Python reads 05:00 PM by %H:%M %p as 05:00
            raise ValueError("%I and %p, the hours of half a day and which half, need each other")
        moment = datetime(2013, 11, 28, 17, 45, 59, tzinfo=UTC)
        try:
            same = form is None or (
                datetime.strptime(moment.strftime(form), form).date() == moment.date()
            )
        except (ValueError, re.error):  # re's: a directive stands twice
            same = False
        if not same:
            raise ValueError(
                "a format of Python's strptime with a day is needed, e.g. '%d.%m.%Y %H:%M'"
            )
        return form

    @model_validator(mode="after")
    def _one_meaning_each(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError(
                f"thousands {self.thousands!r} is the sign of decimals too; declare decimal as well"
            )
        meanings = (self.null_values, self.true_values, self.false_values)
        words = [word for meaning in meanings for word in meaning]
        if twice := sorted({word for word in words if words.count(word) > 1}):
            raise ValueError(
                f"{', '.join(map(repr, twice))} stands twice among null_values, true_values and "
                "false_values; a word has one meaning"
            )
        return self


class Csv(CsvFormat):
    """A CSV file with a line of names: a path alone, or with how it is written."""

    path: str
    """A file, a folder, or a pattern such as `in/*.csv`."""


class SourcePlace(Section):
    """Where rows are: exactly one kind of place."""

    # `json` is a method of pydantic's models, so the field has another name in Python.
    model_config = ConfigDict(validate_by_name=False, serialize_by_alias=True)
    kinds: ClassVar[Mapping[str, str]] = KINDS

    python: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    """A function that returns a data frame, as `module:function`."""
    csv: Csv | None = None
    """A CSV file: a path alone, or a section that says how it is written."""
    parquet: str | None = None
    """A Parquet file, a folder or a pattern."""
    json_lines: str | None = Field(default=None, alias="json")
    """A file of JSON lines, a folder or a pattern."""
    sql: Sql | None = None
    """A query of a database."""
    delta: Delta | None = None
    """A Delta table."""
    folder: str = Field(default="", exclude=True, description="folder of the file, set when read")

    @field_validator("csv", mode="before")
    @classmethod
    def _path_alone(cls, csv: object) -> object:
        return {"path": csv} if isinstance(csv, str) else csv

    @property
    def kind(self) -> str:
        """Name of the one source that is set."""
        return self._set()[0]

    @property
    def place(self) -> str:
        """What names it: a loader, a path beside the use case's file, or an address."""
        value = getattr(self, self.kinds[self.kind])
        named = value.url if isinstance(value, Sql) else getattr(value, "path", value)
        return str(named).removeprefix(f"{self.folder}/") if self.folder else str(named)

    def _set(self) -> list[str]:
        return [kind for kind, field in self.kinds.items() if getattr(self, field) is not None]

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self._set()) != 1:
            raise ValueError(
                f"exactly one of {', '.join(self.kinds)} is needed, found "
                + (", ".join(self._set()) or "none")
            )
        return self


class Source(SourcePlace):
    """Where rows come from (exactly one), and what happens to a key that arrives again later.

    With `since`, the name of a column, only rows at or after the newest are read; docs/sources.md.
    """

    since: str | None = None
    """A column: only rows at or after the newest that is known are read."""
    late_duplicates: Literal["quarantine", "replace"] = "quarantine"
    """Whether a row whose key is known is set apart or takes the old one's place."""
    expect_every: str | None = None
    """How old the newest delivery may be before people are told."""

    @property
    def expected_every(self) -> timedelta | None:
        """How old the newest delivery may be; None: nothing is expected."""
        if self.expect_every is None:
            return None
        number, unit = self.expect_every.split()
        return int(number) * EXPECTED_UNITS[unit.removesuffix("s")]

    @field_validator("expect_every")
    @classmethod
    def _is_a_time(cls, every: str | None) -> str | None:
        if every is not None and not EXPECTED.fullmatch(every):
            raise ValueError(
                "a whole number of minutes, hours, days or weeks is needed, e.g. '36 hours'"
            )
        return every

    @model_validator(mode="after")
    def _can_tell_what_is_new(self) -> Self:
        if self.since is not None and self.python is not None:
            raise ValueError(
                "since belongs to tables, files and databases; what a Python loader answers is "
                "read whole"
            )
        return self


class BatchSource(SourcePlace):
    """Where the rows are that are answered: any kind of source, or a table of the use case."""

    kinds: ClassVar[Mapping[str, str]] = {**KINDS, "table": "table"}

    table: TableName | None = None
    """A table of the use case itself, e.g. raw."""
