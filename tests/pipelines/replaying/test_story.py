"""The story of a replay: what broke stands first, what is told are the figures of the tables."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from contract.store.tables import Tables
from pipelines.data.after_holdout import Days
from pipelines.replaying.found_rows import FoundRows, found_rows
from pipelines.replaying.picture import draw
from pipelines.replaying.progress import ReplayProgress
from pipelines.replaying.promises import promises
from pipelines.replaying.story import decisions, in_words, story
from tests.conftest import made_use_case
from tests.pipelines.replaying.test_progress import AUGUST, JULY
from tests.support import monitored as made

FOUND = FoundRows(
    window=Days(JULY.start, JULY.end),
    rows_promised=1500,
    rows_found=1500,
    answers_repeated=0,
    versions=("1",),
    labels_promised=1400,
    labels_found=1400,
    labels_repeated=0,
    requests=3,
    latency_ms=(4.0, 9.0, 12.0),
)
SEEN = (JULY.model_copy(update={"labels": 1400}),)
BREAKS = [
    ({}, "", []),
    ({"rows_found": 1499}, "", ["asked has an answer"]),
    ({"answers_repeated": 1}, "", ["No answer stands there twice"]),
    ({"versions": ("1", "2")}, "", ["version that was live"]),
    ({"labels_found": 1399}, "", ["label that came"]),
    ({"labels_repeated": 2}, "", ["No label"]),
    ({}, "entry 3 is missing", ["record of moves"]),
]


@pytest.mark.parametrize(("changes", "ledger", "broken"), BREAKS)
def test_each_promise_breaks_by_itself(
    changes: dict[str, int], ledger: str, broken: list[str]
) -> None:
    found = promises(SEEN, [replace(FOUND, **changes)], ledger)  # type: ignore[arg-type]
    said = [promise.says for promise in found if not promise.kept]
    assert len(said) == len(broken)
    assert all(words in line for words, line in zip(broken, said, strict=True))


def test_a_window_without_its_second_report_breaks_a_promise() -> None:
    (window,) = SEEN
    found = promises([window.model_copy(update={"last": None})], [FOUND], "")
    assert [p.says.split()[0] for p in found if not p.kept] == ["Each"]


def test_rows_and_labels_are_found_by_key_and_time(home: Path) -> None:
    use_case, tables = made_use_case(home), Tables(str(home / "data"), "made")
    rows = made.rows(100, 1)
    made.answer(tables, use_case, rows.iloc[:90].drop(columns="late"))
    made.answer(tables, use_case, rows.iloc[:2])  # twice
    wrong = rows.iloc[:1].assign(late=lambda r: ~r["late"])
    known = rows.iloc[1:80]
    _say(tables, known)
    _say(tables, wrong)
    start = rows["moment"].iloc[0].date()
    asked = pa.Table.from_pandas(rows.drop(columns="chance"), preserve_index=False)
    found = found_rows(tables, use_case, Days(start, start + timedelta(days=1)), asked)
    assert (found.rows_promised, found.rows_found, found.answers_repeated) == (100, 90, 2)
    assert (found.labels_promised, found.labels_found, found.labels_repeated) == (100, 79, 0)
    assert (found.versions, found.requests, found.latency_ms) == (("1",), 1, None)


def _say(tables: Tables, known: pd.DataFrame) -> None:
    from contract.store.feedback import feedback_schema

    schema = feedback_schema({"id": "integer"}, "boolean")
    said = datetime(2024, 6, 1, tzinfo=UTC)
    columns = {
        "id": known["id"],
        "event_time": known["moment"],
        "label": known["late"],
        "label_time": [said] * len(known),
        "received_time": [said] * len(known),
    }
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(len(known), f.type)
        for f in schema
    ]
    tables.append("feedback", pa.table(arrays, schema=schema))


def test_decisions_stand_in_their_order_with_their_reasons() -> None:
    told = decisions((JULY, AUGUST), {"2": "it was better", "3": "it was worse"}, 30)
    assert [d.at for d in told] == sorted(d.at for d in told)
    by_what = {d.what: d for d in told}
    live = by_what["Retraining because of July 2013: version 2 live on 2013-09-01"]
    assert (live.reasons, live.tone, live.at) == (("it was better",), "good", date(2013, 9, 1))
    assert by_what["July 2013, with its labels: DRIFT, alarm (performance, 1 column)"].at == date(
        2013, 8, 31
    )
    first = by_what["July 2013, without labels: OK"]
    assert (first.at, first.reasons, first.tone) == (date(2013, 8, 1), ("Because.",), "plain")


def test_the_page_tells_all_of_it_and_no_text_becomes_markup(home: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    use_case = made_use_case(home, {"title": evil})
    replayed = ReplayProgress(seen=(*SEEN, AUGUST))
    found = [FOUND, replace(FOUND, rows_found=7, versions=("2",))]
    promised = promises(replayed.seen, found, "")
    picture = draw(replayed.seen, use_case, 30)
    page = story(replayed, use_case, 30, found, promised, {"1": evil, "2": "better"}, picture)
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") >= 3
    assert page.index("A promise broke") < page.index("Which version answered")
    for fact in ("3,000 promised, 1,507 found", "0.720, between 0.710 and 0.730", "9.0", "broken"):
        assert fact in page
    assert in_words(replayed.seen, use_case) in page
    kept = story(
        ReplayProgress(seen=SEEN), use_case, 30, [FOUND], promises(SEEN, [FOUND], ""), {}, picture
    )
    assert "A promise broke" not in kept
