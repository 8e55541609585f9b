"""A value that was inferred, with the reason and how sure it is."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Certainty = Literal["sure", "likely", "a guess"]
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Inferred(Generic[T_co]):
    """A value, why it is that, and how sure that is."""

    value: T_co
    why: str
    sure: Certainty = "sure"

    @property
    def reason(self) -> str:
        """Reason and certainty, as a comment says them."""
        return f"{self.why}; {self.sure}" if self.why else self.sure


@dataclass(frozen=True)
class LeftOut:
    """A column that is not declared, and why; `declaration` is how it would be."""

    name: str
    why: str
    declaration: str = ""
