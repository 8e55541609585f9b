"""What one version's window holds: everything that is read of it, before anything is judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from contract.store.tables import Tables
from contract.use_case.features import sources
from contract.use_case.pseudonymisation import altered
from monitoring.measures.answers import classes_of, score_index
from monitoring.measures.compare import ColumnSummaries, frozen_columns
from monitoring.measures.count import Each, WindowCounts, count_window
from monitoring.windows.reference import Rows
from monitoring.windows.rows import WindowReader
from monitoring.windows.versions import ServedModel
from monitoring.windows.window import Window

ANSWER_ROWS = 50_000  # performance rests on a sample of at most about so many rows


@dataclass(frozen=True)
class ObservedWindow:
    """A window as one version answered in it, and what to compare it with."""

    served: ServedModel
    title: str
    start: datetime | None
    end: datetime | None
    counts: WindowCounts
    sample: Rows  # of the window, with the labels so far
    frozen: ColumnSummaries | None  # the reference's columns; None: no reference can be read
    schema: Mapping[str, str]  # columns that are missing or have another type, in words

    @property
    def labels_until(self) -> datetime | None:
        """Time of the newest label in the sample; None: there is none."""
        newest = self.sample.answers["label_time"].max()
        return None if pd.isna(newest) else newest


def observe(
    tables: Tables, window: Window, served: ServedModel, each: Each | None = None
) -> ObservedWindow:
    """Count every row of the window, `each` day by a worker if it is given (`count_window`), and
    draw the sample with its labels."""
    use_case, reference = served.use_case, served.reference
    reader = WindowReader(tables, use_case, window, served.version)
    schema = reader.schema_problems()
    absent = frozenset({*schema, *altered(use_case)})  # what the log hides on purpose is no finding
    features = [name for name in use_case.features if not absent & sources(use_case, name)]
    frozen, score = None, None
    if reference:
        frozen = frozen_columns(reference, use_case)
        score = score_index(use_case, classes_of(reference.holdout.answers, use_case))
    counts = count_window(reader, features, frozen, score, each)
    return ObservedWindow(
        served=served,
        title=_title(window, counts),
        start=window.start or counts.first,
        end=window.end or counts.last,
        counts=counts,
        sample=reader.sample(features, counts.rows, ANSWER_ROWS),
        frozen=frozen,
        schema=schema,
    )


def _title(window: Window, counts: WindowCounts) -> str:
    """The window's name; one that moves with the table is named by its moments too."""
    if window.start or window.end or counts.first is None or counts.last is None:
        return window.title
    return f"{window.title}, {counts.first:%Y-%m-%d %H:%M:%S} to {counts.last:%Y-%m-%d %H:%M:%S}"
