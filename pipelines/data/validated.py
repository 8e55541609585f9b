"""What a validation leaves behind for the steps after it."""

from contract.store.tables import TableVersion
from pipelines.data.profiling.notes import ColumnNote, short
from pipelines.runtime.console import count
from pipelines.runtime.step import Result


class Validated(Result):
    """Which rows of `raw` may be used, and how the expectations came out."""

    raw: TableVersion
    quarantine: TableVersion
    delivery: int
    rows_checked: int
    rows_quarantined: int
    expectations_passed: int
    expectations_total: int
    warnings: tuple[str, ...]
    notes: tuple[ColumnNote, ...] = ()  # on columns that look strange; they stop nothing

    def line(self) -> str:
        warned = f", warnings: {'; '.join(self.warnings)}" if self.warnings else ""
        noted = f", noted: {short(self.notes)}" if self.notes else ""
        return (
            f"{self.expectations_passed} of {self.expectations_total} expectations passed, "
            f"{count(self.rows_quarantined)} of {count(self.rows_checked)} rows quarantined"
            f"{warned}{noted}"
        )

    def tables(self) -> tuple[TableVersion, ...]:
        return (self.raw, self.quarantine)
