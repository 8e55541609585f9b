from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from contract.errors import BadInput
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.measures.count import count_window
from monitoring.windows.declared import period
from monitoring.windows.reference import Reference, freeze, load
from monitoring.windows.rows import WindowReader, served_versions
from monitoring.windows.window import (
    WindowRequest,
    counting,
    read_count,
    read_day,
    read_versions,
    resolve,
)
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
from tests.support import monitored as made
from tests.support.answers import answer, spooled, uncounted
from tests.support.monitored import LATER


@pytest.fixture
def use_case(home: Path) -> UseCase:
    return made_use_case(home, {"time_zone": "America/New_York"})


@pytest.fixture
def tables(home: Path, use_case: UseCase) -> Tables:
    """Two days of one row a minute, in two commits: table versions 1 and 2.

    With them, in table version 3, what does not count: a person's tries and impossible times.
    """
    found = Tables(str(home / "data"), "made")
    made.answer(found, use_case, made.rows(1440, 1, "2024-02-01"))
    made.answer(found, use_case, made.rows(1440, 2, "2024-02-02"), version="2")
    uncounted(home / "s", found, use_case, LATER, tried=datetime(2024, 2, 2, 12, tzinfo=UTC))
    return found


def counted(tables: Tables, use_case: UseCase, asked: WindowRequest) -> dict[str, int]:
    window = resolve(asked, tables, use_case, LATER)
    return {
        version: count_window(WindowReader(tables, use_case, window, version), [], None, None).rows
        for version in served_versions(tables, window)
    }


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        # Midnight is 05:00 UTC.
        (WindowRequest(date(2024, 2, 1), date(2024, 2, 2)), {"1": 1140, "2": 300}),
        (WindowRequest(start=date(2024, 2, 2)), {"2": 1140}),
        (WindowRequest(last=1500), {"2": 1440, "1": 60}),
        (WindowRequest(last=10_000), {"1": 1440, "2": 1440}),
        (WindowRequest(versions=(1, 2)), {"2": 1440}),
        (WindowRequest(versions=(0, 1)), {"1": 1440}),
        (WindowRequest(versions=(2, 3)), {}),
        (WindowRequest(), {"1": 1140, "2": 1440}),  # the month of the newest row
        (WindowRequest(to_judge=False), {"1": 1140, "2": 1440}),
        (WindowRequest(date(2025, 1, 1)), {}),
    ],
)
def test_a_window_holds_the_rows_that_were_asked_for(
    tables: Tables, use_case: UseCase, asked: WindowRequest, rows: dict[str, int]
) -> None:
    assert counted(tables, use_case, asked) == rows


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (WindowRequest(last=5, versions=(1, 2)), "One window is needed"),
        (WindowRequest(date(2024, 2, 2), date(2024, 2, 2)), "must be before until"),
        (WindowRequest(versions=(1, 9)), "no version 9; newest: 3"),
    ],
)
def test_a_window_that_can_t_be_is_refused(
    tables: Tables, use_case: UseCase, asked: WindowRequest, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        resolve(asked, tables, use_case, LATER)


def test_words_of_the_command_line_are_read_or_refused() -> None:
    assert (read_day("from", ""), read_count("last", ""), read_versions("")) == (None, None, None)
    assert read_versions("3-7") == (3, 7)
    for read in (
        lambda: read_day("from", "July"),
        lambda: read_count("last", "0"),
        lambda: read_versions("7-3"),
        lambda: read_day("from", "0001-01-01"),
        lambda: read_day("until", "9999-12-31"),
    ):
        with pytest.raises(BadInput, match="is needed, found"):
            read()


def test_declared_windows_are_calendar_periods() -> None:
    assert period(date(2024, 2, 29), "month") == (date(2024, 2, 1), date(2024, 3, 1))
    assert period(date(2024, 12, 31), "month") == (date(2024, 12, 1), date(2025, 1, 1))
    assert period(date(2024, 2, 29), "week") == (date(2024, 2, 26), date(2024, 3, 4))
    assert period(date(2024, 2, 29), "day") == (date(2024, 2, 29), date(2024, 3, 1))


def test_a_sample_is_the_same_rows_again_and_about_as_many_as_asked(
    tables: Tables, use_case: UseCase
) -> None:
    reader = WindowReader(tables, use_case, resolve(WindowRequest(), tables, use_case, LATER), "1")
    some, again = (reader.sample(["size"], 1140, 500) for _ in range(2))
    assert some.inputs.equals(again.inputs)
    assert some.answers["prediction"].equals(again.answers["prediction"])
    assert 400 < len(some) < 600
    assert len(reader.sample(["size"], 1140, 5000)) == 1140


@pytest.mark.parametrize("by", ["prediction_id", "id"])
def test_the_newest_revision_of_a_label_counts(tables: Tables, use_case: UseCase, by: str) -> None:
    rows = made.rows(1440, 1, "2024-02-01").tail(100)
    made.label(tables, rows, by)
    made.label(tables, rows.head(10).assign(late=True), by, LATER + timedelta(days=1))
    made.label(tables, rows.head(1).assign(id=-5), by)  # a label of no prediction
    reader = WindowReader(tables, use_case, resolve(WindowRequest(), tables, use_case, LATER), "1")
    found = reader.sample(["size"], 1140, 5000)
    labelled = found.inputs[found.answers["label"].notna()].merge(rows, on="size")
    said = found.answers["label"].dropna()
    assert len(found) == 1140
    assert len(labelled) == 100
    assert said.sum() == 10 + rows["late"].iloc[10:].sum()


def test_a_reference_reads_back(home: Path) -> None:
    known = made.reference(50)
    freeze(home, known.inputs, known.holdout, known.figures)
    found = load(home)
    assert isinstance(found, Reference)
    assert found.inputs.equals(known.inputs)
    assert found.holdout.inputs.equals(known.holdout.inputs)
    assert found.holdout.answers.equals(known.holdout.answers)
    assert found.figures == known.figures


def test_a_reference_of_an_older_release_reads_alike(home: Path) -> None:
    known = made.reference(50)
    freeze(home, known.inputs, known.holdout, known.figures)
    (home / "answers.parquet").unlink()
    beside = pd.concat([known.holdout.inputs, known.holdout.answers], axis="columns")
    beside.to_parquet(home / "holdout.parquet")
    found = load(home).holdout
    assert found.inputs.equals(known.holdout.inputs)
    assert found.answers.equals(known.holdout.answers)


def test_a_reference_without_its_answers_is_damaged(home: Path) -> None:
    known = made.reference(50)
    freeze(home, known.inputs, known.holdout, known.figures)
    (home / "answers.parquet").unlink()
    with pytest.raises(OSError, match=r"answers\.parquet"):
        load(home)


def test_a_window_that_runs_is_read_from_and_judged_by_name_alone(
    tables: Tables, use_case: UseCase
) -> None:
    made.answer(tables, use_case, made.rows(60, 3, "2024-05-31"))
    now = datetime(2024, 5, 31, 12, tzinfo=UTC)
    judged, read = (
        resolve(WindowRequest(to_judge=j), tables, use_case, now) for j in (True, False)
    )
    assert judged.title == "2024-02-01 to 2024-03-01"
    assert judged.newer == "2024-05-01 to 2024-06-01 holds 60 rows, and has not ended"
    assert read.title == "2024-05-01 to 2024-06-01"
    named = resolve(WindowRequest(date(2024, 5, 1), date(2024, 6, 1)), tables, use_case, now)
    assert (named.title, named.where) == (read.title, read.where)


def test_tables_of_older_releases_count_as_http(home: Path, use_case: UseCase) -> None:
    older = Tables(str(home / "old"), "made")
    made.answer(older, use_case, made.rows(50, 1, "2024-02-01"))
    rows = older.read("predictions").drop_columns(["source"])
    older.overwrite("predictions", rows)
    assert len(counting(older.open("predictions"), LATER)) == 1
    assert counted(older, use_case, WindowRequest()) == {"1": 50}
    spooled(home / "s", use_case, [answer(use_case, "new", 3, version="1")])
    Shipper(home / "s", older).drain()  # now there is the column, and it is empty in the old rows
    assert len(counting(older.open("predictions"), LATER)) == 2
    assert counted(older, use_case, WindowRequest(date(2024, 1, 1))) == {"1": 53}


def test_a_time_fits_a_time_of_any_unit_and_nothing_else(home: Path) -> None:
    plain = made_use_case(home)
    moment = plain.columns["moment"].model_copy(update={"parts": ("hour",)})
    use_case = plain.model_copy(update={"columns": plain.columns | {"moment": moment}})
    words = plain.columns["moment"].model_copy(update={"type": "string"})
    found = []
    for number, column in enumerate((moment, words)):
        sent = use_case.model_copy(update={"columns": plain.columns | {"moment": column}})
        tables = Tables(str(home / str(number)), "made")
        asked = made.rows(5, 1)
        if column is words:
            sent = sent.model_copy(update={"event_time": None})
        made.answer(tables, sent, asked)
        window = resolve(WindowRequest(), tables, use_case, LATER)
        found.append(WindowReader(tables, use_case, window, "1").schema_problems())
    assert found == [{}, {"moment": "moment is string, was timestamp"}]
