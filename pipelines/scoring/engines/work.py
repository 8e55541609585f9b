"""What an engine is given, and what it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.scoring.rows import OpenedRows
from pipelines.scoring.through import Asked, Counted, Progress, Sinks
from serving.scoring.version import ServedVersion


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


# Hands the answers to the sinks, in the order of the rows. Refused names the first row that does
# not fit, as an engine that looks at one row after the other would.
Engine = Callable[[Work, Sinks, Progress], Counted]
