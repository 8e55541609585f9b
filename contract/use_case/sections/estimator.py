"""The estimator of a use case: which class, with which parameters, searched where."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from contract.use_case.sections.section import Section

Scalar = str | int | float | bool
Encoding = Literal["one-hot", "ordinal", "target"]


def _with_text_keys(value: Any) -> Any:
    """JSON knows no other keys than text: {0: 1, true: 5} becomes {"0": 1, "true": 5}."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key, default=str): _with_text_keys(member)
            for key, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [_with_text_keys(member) for member in value]
    return value


# A number, a text, a list, a mapping: whatever JSON and YAML can both say.
Parameter = Annotated[JsonValue, BeforeValidator(_with_text_keys)]


class Range(Section):
    """A searched parameter: an interval or a list of choices."""

    low: float | None = None
    """Smallest value that is tried."""
    high: float | None = None
    """Largest value that is tried."""
    log: bool = False
    """Whether small values are tried as finely as large ones."""
    integer: bool = False
    """Whether only whole numbers are tried."""
    choices: tuple[Scalar, ...] | None = None
    """The values that are tried, in place of `low` and `high`."""

    @model_validator(mode="after")
    def _interval_or_choices(self) -> Self:
        interval = self.low is not None and self.high is not None
        if interval == (self.choices is not None):
            raise ValueError("either low and high, or choices, is needed")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low:g} must be below high {self.high:g}")
        return self


class Estimator(Section):
    """A scikit-learn estimator by dotted path, its parameters and their search space.

    `file:Class` is a class in `file.py` beside the use case. docs/estimators.md.
    """

    path: str = Field(pattern=r"^([\w.]+\.\w+|\w+:\w+)$")
    """A scikit-learn class by its path, or `file:Class` in a file beside the use case."""
    parameters: dict[str, Parameter] = {}
    """Its arguments; those left out have their own defaults."""
    search: dict[str, Range] = {}
    """What `tune` tries for some of them."""
    seed: int = 0
    """Random state of fitting and tuning."""

    @property
    def kind(self) -> str:
        """Name of the class."""
        return self.path.replace(":", ".").rpartition(".")[2]

    @property
    def own(self) -> bool:
        """Whether the class stands in a file beside the use case."""
        return ":" in self.path
