"""When and on what a retraining may run."""

from pydantic import (
    Field,
)

from contract.use_case.sections.section import Section


class Retraining(Section):
    """When and on what a retraining may run; docs/retraining.md.

    The label shift is a Jensen-Shannon distance between 0 and 1, as in monitoring; the share of one
    API key is of all labels.
    """

    window_days: int = Field(default=365, ge=1)
    """How far back labelled answers are learned from, days."""
    min_labels: int = Field(default=1000, ge=1)
    """New labelled rows that a retraining needs."""
    cool_down_days: float = Field(default=7, ge=0, allow_inf_nan=False)
    """Shortest time between two retrainings, days."""
    max_label_shift: float = Field(default=0.2, gt=0, le=1)
    """Distance of new labels from old ones above which a person must look."""
    max_key_share: float = Field(default=0.5, gt=0, le=1)
    """Share of labels from one API key above which a person must look."""
    max_hours: float = Field(default=6, gt=0, allow_inf_nan=False)
    """How long a retraining may hold its lease, hours."""
