"""The declaration of columns that are computed from what a caller sends; docs/features.md."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from contract.use_case.sections.estimator import Encoding, Scalar
from contract.use_case.sections.section import Section

Part = Literal[
    "year",
    "quarter",
    "month",
    "week",
    "day_of_year",
    "day_of_month",
    "day_of_week",
    "hour",
    "minute",
    "second",
]
Bound = int | Annotated[float, Field(allow_inf_nan=False)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Derived(Section):
    """A column that one of a closed set of functions computes from others, row by row."""

    function: Literal["difference", "ratio", "log", "bins", "length", "condition"]
    """What is computed; docs/features.md tells of each."""
    of: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = Field(min_length=1)
    """The column or columns that it is computed from."""
    description: str = ""
    """What it means, for people."""
    unit: Literal["s", "min", "h", "d"] | None = None
    """The unit of a difference of times."""
    edges: tuple[Bound, ...] | None = Field(default=None, min_length=1, max_length=100)
    """Where one bin ends and the next begins, ascending."""
    at_least: Bound | None = None
    """A condition: true from this value on."""
    below: Bound | None = None
    """A condition: true below this value."""
    one_of: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    """A condition: true for these values."""
    missing: bool | None = None
    """A condition: true where the value is missing, or where it is not."""
    encode: Encoding | None = None
    """How words of bins become numbers, as of a column."""
    feature: bool = True
    """Whether the model sees it, or only what is computed from it."""

    @property
    def arguments(self) -> frozenset[str]:
        """Which arguments stand beside `of`."""
        names = ("unit", "edges", "at_least", "below", "one_of", "missing", "encode")
        return frozenset(name for name in names if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if any(a >= b for a, b in pairwise(self.edges or ())):
            raise ValueError("edges: each must be above the one before")
        if self.at_least is not None and self.below is not None and self.at_least >= self.below:
            raise ValueError(f"at_least {self.at_least:g} must be below {self.below:g}")
        said = self.arguments & {"at_least", "below", "one_of", "missing"}
        if len(said) > 1 and said != {"at_least", "below"}:
            raise ValueError(
                f"{', '.join(sorted(said))}: one condition is needed, or at_least with below"
            )
        return self
