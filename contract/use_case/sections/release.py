"""Who lets a version reach Production."""

from typing import Literal

from pydantic import (
    Field,
)

from contract.use_case.sections.section import Section


class Release(Section):
    """Who lets a version that passed the gate reach Production, and how fast it must prove itself.

    With `manual` it waits in Staging until a person promotes it, who is not the one that trained
    it unless `self_approval` says so. MLflow's server must have proven who both are; with
    `unproven` the names that an environment claims will do.
    """

    approval: Literal["auto", "manual"] = "auto"
    """Whether a version that passed goes live by itself or waits for a person."""
    self_approval: bool = False
    """Whether the one who trained it may approve it."""
    unproven: bool = False
    """Whether names that an environment claims will do, without a sign-in."""
    check_s: float = Field(default=60, gt=0)
    """Deadline of the release check, seconds."""
