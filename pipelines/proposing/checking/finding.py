"""What a check has to say: what stops the pipeline, and what a person should look at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CheckFinding:
    """One sentence. An `error` stops the pipeline before any work; a `warning` is judged later, by
    validation or the gate; `away` is a system that does not answer."""

    severity: Literal["error", "away", "warning", "note"]
    sentence: str


def error(sentence: str) -> CheckFinding:
    """What would make a later step fail."""
    return CheckFinding("error", sentence)


def warning(sentence: str) -> CheckFinding:
    """What may be meant so."""
    return CheckFinding("warning", sentence)
