"""Where rows come from: the section `source` of a use case."""

from typing import Literal, Self

from pydantic import Field, model_validator

from contract.use_case.section import Section


class Sql(Section):
    """Rows of a query; the URL is SQLAlchemy's, `${NAME}` in it is read from the environment."""

    url: str
    query: str


class Delta(Section):
    """A Delta table, at its newest version unless one is named."""

    path: str
    version: int | None = Field(default=None, ge=0)


class Source(Section):
    """Where rows come from (exactly one), and what happens to a key that arrives again later."""

    python: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    csv: str | None = None
    parquet: str | None = None
    sql: Sql | None = None
    delta: Delta | None = None
    late_duplicates: Literal["quarantine", "replace"] = "quarantine"
    folder: str = Field(default="", exclude=True, description="folder of the file, set when read")

    @property
    def kind(self) -> str:
        """Name of the one source that is set."""
        return self._set()[0]

    def _set(self) -> list[str]:
        kinds = ("python", "csv", "parquet", "sql", "delta")
        return [kind for kind in kinds if getattr(self, kind) is not None]

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self._set()) != 1:
            raise ValueError(
                "exactly one of python, csv, parquet, sql, delta is needed, found "
                + (", ".join(self._set()) or "none")
            )
        return self
