"""Whether the first rows of the source hold the declared columns in their types."""

from collections.abc import Iterator
from difflib import get_close_matches

from contract.store.schema import conform
from contract.use_case.model import UseCase
from pipelines.proposing.checking.finding import CheckFinding, error, warning
from pipelines.sources.first_rows import FirstRows


def check(use_case: UseCase, first: FirstRows) -> Iterator[CheckFinding]:
    """Columns that are missing, with the nearest that is there, and those of another type."""
    if not first.table.num_rows:
        yield error("source: it holds no row")
    conformed = conform(first.table, use_case)
    found = [name for name in first.names if name not in use_case.columns]
    missing = [name for name in conformed.missing if name not in first.names]
    say = error if first.all_names else warning  # else a later row may have it
    for name in missing:
        close = get_close_matches(name, found, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        yield say(f"columns.{name}: the source has no such column{hint}")
    if missing:
        yield say(f"source: the columns found are {', '.join(first.names)}")
    for name, why in conformed.retyped.items():
        yield error(f"columns.{name}: {why}")
