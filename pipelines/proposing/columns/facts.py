"""What the values of a column amount to: how many, how many different, from where to where."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.proposing.columns.types import TypedColumn

SHOWN = 4
LONGEST = 24


@dataclass(frozen=True)
class SeenColumn:
    """A typed column and figures of it, each counted once when it is asked for."""

    typed: TypedColumn

    @property
    def name(self) -> str:
        return self.typed.name

    @property
    def kind(self) -> str:
        return self.typed.type.value

    @property
    def rows(self) -> int:
        return len(self.typed.values)

    @property
    def nulls(self) -> int:
        return int(self.typed.values.null_count)

    @cached_property
    def counts(self) -> pa.StructArray:
        """Every value that is not null with how often it stands there, (n_distinct,)."""
        return pc.value_counts(self.typed.values.drop_null())

    @property
    def distinct(self) -> int:
        """How many different values there are, null not among them."""
        return len(self.counts)

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.nulls == 0 and self.distinct == self.rows > 0

    @cached_property
    def ends(self) -> tuple[Any, Any]:
        """The least and the largest value; None of an empty column."""
        found = pc.min_max(self.typed.values)
        return found["min"].as_py(), found["max"].as_py()

    @cached_property
    def by_count(self) -> list[tuple[Any, int]]:
        """The values from the commonest to the rarest, with their rows; for few values."""
        pairs = [(v["values"].as_py(), v["counts"].as_py()) for v in self.counts]
        return sorted(pairs, key=lambda pair: (-pair[1], str(pair[0])))

    @cached_property
    def running(self) -> bool:
        """Whether it counts the rows: unique whole numbers without a gap."""
        if self.kind != "integer" or not self.unique:
            return False
        low, high = self.ends
        return bool(high - low == self.rows - 1)

    @property
    def seen(self) -> str:
        """Its values in a few words."""
        empty = f"{self.nulls:,} of {self.rows:,} empty" if self.nulls else "never empty"
        if self.kind in ("integer", "number"):
            low, high = self.ends
            return f"{low:g} to {high:g}, {empty}"
        return f"{self.distinct:,} values, {empty}"
