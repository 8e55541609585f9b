"""How much bad data a delivery may hold, and expectations beside those of the columns."""

from typing import Literal

from pydantic import (
    Field,
)

from contract.use_case.sections.section import Section


class Expectation(Section):
    """Any Great Expectations expectation by its class name, with its own arguments."""

    expectation: str = Field(pattern=r"^Expect[A-Za-z]+$")
    """The class name of a Great Expectations expectation."""
    severity: Literal["critical", "warning"] = "warning"
    """Whether its failure stops the run or is only reported."""
    arguments: dict[str, object] = {}
    """Its arguments, as Great Expectations names them."""


class Validation(Section):
    """How much bad data a delivery may hold."""

    min_rows: int = Field(default=100, ge=1)
    """Rows that a delivery needs at least."""
    max_quarantined_share: float = Field(default=0.01, ge=0, le=1)
    """Share of rows in quarantine above which the run stops."""
