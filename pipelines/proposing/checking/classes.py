"""Whether the classes in the first rows are those that the use case speaks of."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from contract.use_case.model import UseCase
from pipelines.proposing.checking.finding import CheckFinding, error, warning
from pipelines.proposing.checking.target import positive
from pipelines.sources.first_rows import FirstRows

SHOWN = 10


def check(use_case: UseCase, first: FirstRows) -> Iterator[CheckFinding]:
    """How many classes there are, and whether the positive one is among them."""
    target = use_case.target
    if not use_case.classifies or target not in first.table.column_names:
        return
    column = first.table.column(target)
    if pa.types.is_floating(column.type):
        column = column.filter(pc.invert(pc.is_nan(column)))
    classes = sorted(pc.unique(column.drop_null()).to_pylist(), key=str)
    if not classes:
        yield warning(f"target: {target} is empty in the first {first.table.num_rows:,} rows")
        return
    shown = ", ".join(map(repr, classes[:SHOWN])) + ("" if len(classes) <= SHOWN else ", …")
    whole = first.total == first.table.num_rows
    if any(isinstance(c, float) and not c.is_integer() for c in classes):
        yield error(f"target: {target} holds fractions, which are no classes; task: regression")
    elif use_case.task == "binary" and len(classes) > 2:
        yield error(f"task: binary means two classes, {target} holds {len(classes)}: {shown}")
    elif whole and len(classes) < 2:
        yield error(f"target: two classes are needed, {target} holds one: {shown}")
    elif use_case.positive not in (None, *classes) and not any(positive(use_case)):
        say = error if len(classes) == 2 or whole else warning
        yield say(
            f"positive: {use_case.positive!r} is no value of {target} in the first "
            f"{first.table.num_rows:,} rows, found {shown}"
        )
