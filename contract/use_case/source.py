"""Where rows come from: the section `source` of a use case."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from contract.use_case.section import Section

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
    query: str


class Delta(Section):
    """A Delta table, at its newest version unless one is named."""

    path: str
    version: int | None = Field(default=None, ge=0)


class Source(Section):
    """Where rows come from (exactly one), and what happens to a key that arrives again later.

    With `since`, the name of a column, only rows at or after the newest are read; docs/sources.md.
    """

    # `json` is a method of pydantic's models, so the field has another name in Python.
    model_config = ConfigDict(validate_by_name=False, serialize_by_alias=True)

    python: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    csv: str | None = None
    parquet: str | None = None
    json_lines: str | None = Field(default=None, alias="json")
    sql: Sql | None = None
    delta: Delta | None = None
    since: str | None = None
    late_duplicates: Literal["quarantine", "replace"] = "quarantine"
    folder: str = Field(default="", exclude=True, description="folder of the file, set when read")

    @property
    def kind(self) -> str:
        """Name of the one source that is set."""
        return self._set()[0]

    def _set(self) -> list[str]:
        return [kind for kind, field in KINDS.items() if getattr(self, field) is not None]

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self._set()) != 1:
            raise ValueError(
                f"exactly one of {', '.join(KINDS)} is needed, found "
                + (", ".join(self._set()) or "none")
            )
        return self

    @model_validator(mode="after")
    def _can_tell_what_is_new(self) -> Self:
        if self.since is not None and self.python is not None:
            raise ValueError(
                "since belongs to tables, files and databases; what a Python loader answers is "
                "read whole"
            )
        return self
