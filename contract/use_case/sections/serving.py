"""How the service may run a version, and how long answers are kept."""

from pydantic import (
    Field,
)

from contract.use_case.sections.section import Section


class Serving(Section):
    """How the service may run a version."""

    allow_sklearn: bool = False
    """Whether a pipeline that can't be compiled may be served by scikit-learn itself."""


class Privacy(Section):
    """How long predictions and feedback are kept, days; None: for ever. docs/feedback.md."""

    retention_days: int | None = Field(default=None, ge=1)
    """Days that predictions and feedback are kept; left out, for ever."""
