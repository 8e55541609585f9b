"""One column of the table: its type, what it may hold, how the model sees it."""

from typing import Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from contract.use_case.sections.derived import Part
from contract.use_case.sections.estimator import Encoding
from contract.use_case.sections.section import Section

ColumnType = Literal["string", "integer", "number", "boolean", "timestamp"]
Logged = Literal["keep", "hash", "drop"]
# Type and encoding of the columns whose rarer values may share one code.
LIMITED = {("string", None), ("string", "one-hot"), ("string", "ordinal")}


class Column(Section):
    """One column, as everybody who handles it must know it."""

    type: ColumnType
    """What its values are."""
    description: str = ""
    """What it means, for people: in the API's documentation, the model card and `datasets`."""
    unit: str = ""
    """Unit of its values; of a timestamp given as a number `s`, `ms`, `us` or `ns`."""
    nullable: bool = False
    """Whether a value may be missing."""
    min: float | None = None
    """Smallest value that is expected; a row below it goes to quarantine."""
    max: float | None = None
    """Largest value that is expected; a row above it goes to quarantine."""
    categories: tuple[str, ...] | None = None
    """The words that are expected; with `unseen: reject` a row with another is set apart."""
    encode: Encoding | None = None
    """How words become numbers; left out, as the estimator knows them, else one-hot."""
    max_categories: int | None = Field(default=None, ge=2, le=1000)
    """How many words get a code of their own at most; the rarer ones share one."""
    unseen: Literal["allow", "reject"] = "allow"
    """What the service does with a word that training did not see."""
    out_of_range: Literal["allow", "reject"] = "allow"
    """What the service does with a value below `min` or above `max`."""
    personal: bool = False
    """Whether it is about a person; the log then holds a keyed hash."""
    log: Logged | None = None
    """What of it the log holds; left out, `hash` for a personal column and else `keep`."""
    parts: tuple[Part, ...] = ()
    """Parts of a time that the model sees, in the use case's zone: a feature for each."""
    feature: bool = True
    """Whether the model sees the column as it is, beside what is computed from it."""

    def named_parts(self, name: str) -> list[tuple[str, Part]]:
        """The declared parts of the column, which is called `name`, each with its own name."""
        return [(f"{name}_{part}", part) for part in self.parts]

    @property
    def logged(self) -> Logged:
        """What of the column enters the log: a personal one is hashed unless it says otherwise."""
        return self.log or ("hash" if self.personal else "keep")

    @model_validator(mode="after")
    def _bounds_fit_the_type(self) -> Self:
        if self.categories is not None and self.type != "string":
            raise ValueError(f"categories belong to a string column, this one is {self.type}")
        if self.encode is not None and self.type != "string":
            raise ValueError(f"encode belongs to a string column, this one is {self.type}")
        if self.max_categories is not None and (self.type, self.encode) not in LIMITED:
            raise ValueError("max_categories belongs to a string column that is no target encoding")
        if (self.min, self.max) != (None, None) and self.type not in ("integer", "number"):
            raise ValueError(f"min and max belong to a number, this column is {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        if self.parts and self.type != "timestamp":
            raise ValueError(f"parts belong to a timestamp column, this one is {self.type}")
        if twice := next((part for part in self.parts if self.parts.count(part) > 1), None):
            raise ValueError(f"parts: {twice} stands twice")
        return self
