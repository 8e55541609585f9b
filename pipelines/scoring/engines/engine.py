"""What an engine is given, and what it gives."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pipelines.scoring.rows import OpenedRows
from pipelines.scoring.through import Asked, Counted, Progress, Sinks
from serving.scoring.version import ServedVersion

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Work:
    """All rows of a source, and by what they are answered."""

    asked: Asked
    source: OpenedRows
    served: ServedVersion
    package: Path | None  # the folder from which the version was loaded
    code: Path | None  # the folder of the user's own classes
    staging: str  # a folder of this run, beside the target: nobody reads it, and it is swept
    threads: int


class Crew(Protocol):
    """Who answers, on one machine or on several."""

    def answer(self, work: Work, sinks: Sinks, progress: Progress) -> Counted:
        """Let the sinks have the answers, in the order of the rows. Refused names the first row
        that does not fit, as whoever looks at one row after the other would."""

    def each(self, do: Callable[[Given], Made], given: Iterable[Given]) -> Iterable[Made]:
        """What comes of each value, in their order."""


Engine = Callable[[], AbstractContextManager[Crew]]
