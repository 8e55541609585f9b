"""Whether to retrain, as tables of cases; the counting of labels; and the lease."""

import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from contract.errors import Busy, Refused
from contract.names import ROW_HASH, TableName
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.store.schema import arrow_schema
from contract.store.tables import Tables, TableVersion
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.monitoring import Monitoring
from contract.use_case.sections.split import GroupSplit, RandomSplit
from monitoring.verdict.evidence import DriftVerdict
from pipelines.data.traffic import read_traffic
from pipelines.retraining.label_checks import ChampionTables, label_figures
from pipelines.retraining.policy import (
    LabelledAnswers,
    LabelledWindow,
    PersonalRequest,
    ReportedWindow,
    RetrainHistory,
    allowed,
    called_for,
    calling,
    cause_of,
)
from pipelines.runtime.lease import free, leased, newest, take
from pipelines.runtime.process_identity import process_identity
from tests.conftest import made_use_case
from tests.support import monitored as made
from tests.support.answers import uncounted

NOW = datetime(2024, 7, 15, tzinfo=UTC)
FORCE = PersonalRequest(force=True, reason="new aircraft")
DRIFT, NONE = ("performance",), ()
BARE = (None, "")  # a window whose labels are not there yet


@pytest.fixture
def use_case(tmp_path: Path) -> UseCase:
    monitoring = Monitoring(every="day", min_labels=50)
    return made_use_case(tmp_path, {"monitoring": monitoring})


# A verdict calls


def windows(*calls: tuple[Sequence[str] | None, str]) -> list[ReportedWindow]:
    """Monthly windows since January: what drifts in them, and the candidate that they caused."""
    return [
        ReportedWindow(
            f"run{m}",
            f"month {m}",
            datetime(2024, m + 1, 1, tzinfo=UTC),
            DriftVerdict("WATCH", (), drifting=tuple(s or ()), labelled=s is not None),
            candidate=c,
        )
        for m, (s, c) in enumerate(calls, 1)
    ]


@pytest.mark.parametrize(
    ("calls", "last", "wish", "state", "cause"),
    [
        ([], None, PersonalRequest(), "NOT_NEEDED", ""),
        ([(NONE, "")], None, PersonalRequest(), "NOT_NEEDED", ""),
        ([(DRIFT, "")], None, PersonalRequest(), "RETRAIN", "run1"),
        ([(["columns:size", "prediction"], "")], None, PersonalRequest(), "NOT_NEEDED", ""),
        ([(DRIFT, ""), (DRIFT, "")], None, PersonalRequest(), "RETRAIN", "run2"),
        ([(DRIFT, ""), (NONE, "")], None, PersonalRequest(), "RETRAIN", "run1"),
        (
            [(DRIFT, ""), (NONE, ""), (NONE, ""), (NONE, "")],
            None,
            PersonalRequest(),
            "NOT_NEEDED",
            "",
        ),
        ([(DRIFT, ""), *[BARE] * 5], None, PersonalRequest(), "RETRAIN", "run1"),
        ([(DRIFT, ""), *[(NONE, "")] * 3, *[BARE] * 5], None, PersonalRequest(), "NOT_NEEDED", ""),
        ([(DRIFT, "2"), *[BARE] * 5], None, PersonalRequest(), "NOT_NEEDED", ""),
        ([(DRIFT, "2")], None, PersonalRequest(), "NOT_NEEDED", ""),
        ([(DRIFT, ""), (DRIFT, "2")], None, PersonalRequest(), "NOT_NEEDED", ""),
        ([(DRIFT, "2"), (DRIFT, "")], None, PersonalRequest(), "RETRAIN", "run2"),
        ([(DRIFT, "")], 6, PersonalRequest(), "COOLING_DOWN", "run1"),
        ([(DRIFT, "")], 8, PersonalRequest(), "RETRAIN", "run1"),
        ([(DRIFT, "")], -1, PersonalRequest(), "COOLING_DOWN", "run1"),  # as of an earlier day
        ([(NONE, "")], 6, PersonalRequest(), "NOT_NEEDED", ""),
        ([(NONE, "")], 6, FORCE, "RETRAIN", ""),
        ([(DRIFT, "")], 6, FORCE, "RETRAIN", "run1"),
    ],
)
def test_a_verdict_calls_once_and_a_person_whenever(
    use_case: UseCase,
    calls: list[tuple[Sequence[str] | None, str]],
    last: int | None,
    wish: PersonalRequest,
    state: str,
    cause: str,
) -> None:
    before = RetrainHistory(None if last is None else NOW - timedelta(days=last))
    found = called_for(windows(*calls), before, NOW, use_case, wish)
    assert (found.state, found.cause.run_id if found.cause else "") == (state, cause)
    assert found.go == (state == "RETRAIN")
    assert found.reasons
    assert all(reason.endswith(".") for reason in found.reasons)


@pytest.mark.parametrize(
    ("retrain_on", "calls"),
    [(("columns",), True), (("performance", "label"), False), ((), False)],
)
def test_the_policy_names_the_signals_that_call(retrain_on: tuple[str, ...], calls: bool) -> None:
    policy = Monitoring.model_validate({"retrain_on": retrain_on})
    found = cause_of(windows((["prediction", "columns:size"], "")), policy)
    assert (found is not None) == calls


@pytest.mark.parametrize(
    ("call", "wish", "state"),
    [
        ((DRIFT, ""), PersonalRequest(), "WAITING"),
        ((NONE, ""), PersonalRequest(), "NOT_NEEDED"),
        ((DRIFT, ""), FORCE, "RETRAIN"),
    ],
)
def test_a_version_that_waits_for_approval_is_not_displaced(
    use_case: UseCase, call: tuple[Sequence[str], str], wish: PersonalRequest, state: str
) -> None:
    before = RetrainHistory(NOW - timedelta(days=30), waiting="7")
    found = called_for(windows(call), before, NOW, use_case, wish)
    assert found.state == state
    assert ("Version 7 waits for approval" in found.reasons[-1]) == (state == "WAITING")


def test_only_what_rests_on_labels_waits_for_them() -> None:
    judged = windows((["prediction", "performance"], ""), *[BARE] * 5)
    policy = Monitoring(retrain_on=("prediction", "performance"))
    found = cause_of(judged, policy)
    assert found
    assert (found.window, calling(found, policy)) == ("month 1", ("performance",))
    assert cause_of(judged, Monitoring(retrain_on=("prediction",))) is None


# Labels allow


DAY = date(2024, 2, 1)
GOOD = LabelledAnswers(
    DAY, date(2024, 3, 1), 1000, LabelledWindow(date(2024, 2, 29), date(2024, 3, 1), 100)
)


@pytest.mark.parametrize(
    ("labels", "wish", "state", "reason"),
    [
        (GOOD, PersonalRequest(), "RETRAIN", ""),
        (replace(GOOD, rows=999), PersonalRequest(), "TOO_FEW_LABELS", "min_labels asks for 1,000"),
        (replace(GOOD, rows=999), FORCE, "TOO_FEW_LABELS", "min_labels asks for 1,000"),
        (replace(GOOD, holdout=None), PersonalRequest(), "TOO_FEW_LABELS", "No day .*: 50 labels"),
        (replace(GOOD, shift=0.2, shifted="May"), PersonalRequest(), "RETRAIN", ""),
        (
            replace(GOOD, shift=0.3, shifted="May"),
            PersonalRequest(),
            "SUSPICIOUS_LABELS",
            "labels of May",
        ),
        (replace(GOOD, shift=0.3, shifted="May"), FORCE, "SUSPICIOUS_LABELS", "labels of May"),
        (
            replace(GOOD, key="eve", key_share=0.6),
            PersonalRequest(),
            "SUSPICIOUS_LABELS",
            "60% .* key eve",
        ),
        (
            replace(GOOD, shift=0.3, shifted="May", key="eve", key_share=0.6),
            PersonalRequest(accept_labels=True, reason="storms"),
            "RETRAIN",
            "Accepted by hand: storms",
        ),
    ],
)
def test_labels_allow_it_or_say_why_not(
    use_case: UseCase, labels: LabelledAnswers, wish: PersonalRequest, state: str, reason: str
) -> None:
    called = called_for(windows((DRIFT, "")), RetrainHistory(), NOW, use_case, wish)
    found = allowed(called, labels, use_case, wish)
    assert found.state == state
    assert found.cause == called.cause
    assert re.search(reason or "Drift", " ".join(found.reasons))


def test_a_split_that_is_not_by_time_needs_no_window(use_case: UseCase) -> None:
    grouped = use_case.model_copy(update={"split": GroupSplit(by="group", column="group")})
    called = called_for(windows((DRIFT, "")), RetrainHistory(), NOW, grouped, PersonalRequest())
    assert allowed(called, replace(GOOD, holdout=None), grouped, PersonalRequest()).go


# Labels are counted


N_ROWS = 200
DAYS = [f"2024-02-0{day}" for day in (1, 2, 3)]
TOLD = ("training", "holdout", "answers")
CORRECTED = made.LATER + timedelta(hours=1)


@pytest.fixture
def tables(home: Path) -> Tables:
    return Tables(str(home / "data"), "made")


def published(tables: Tables, use_case: UseCase, name: TableName, rows: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(rows.drop(columns="chance"), preserve_index=False)
    table = table.select(list(use_case.columns)).cast(arrow_schema(use_case))
    hashes = row_hashes(table)
    tables.publish(name, table.append_column(ROW_HASH, pa.array(hashes)), content_hash(hashes))


def seen(tables: Tables, use_case: UseCase, *more: pd.DataFrame) -> ChampionTables:
    """The champion's tables: rows of January, and `more` that it has learned from."""
    published(tables, use_case, "training", pd.concat([made.rows(300, 7, "2024-01-01"), *more]))
    published(tables, use_case, "holdout", made.rows(100, 8, "2024-01-05"))
    return ChampionTables(TableVersion("training", 1, 0, ""), TableVersion("holdout", 1, 0, ""))


def answered(tables: Tables, use_case: UseCase, day: int, labelled: int = N_ROWS) -> pd.DataFrame:
    """Answers of a day, the first of them with labels."""
    rows = made.rows(N_ROWS, day, DAYS[day - 1])
    made.answer(tables, use_case, rows)
    if labelled:
        made.label(tables, rows.head(labelled))
    return rows


def test_tries_and_impossible_times_are_no_answers_to_learn_from(
    tmp_path: Path, tables: Tables, use_case: UseCase
) -> None:
    answered(tables, use_case, 1)
    known = label_figures(tables, use_case, seen(tables, use_case), NOW)
    uncounted(tmp_path / "s", tables, use_case, NOW, tried=NOW - timedelta(days=1))
    made.label(tables, pd.DataFrame({"id": range(40), "late": True}), by="id")
    with_them = label_figures(tables, use_case, seen(tables, use_case), NOW)
    assert replace(with_them, read={}) == replace(known, read={})


def test_the_newest_window_with_its_labels_is_held_out(tables: Tables, use_case: UseCase) -> None:
    for day, labelled in ((1, 200), (2, 150), (3, 90)):  # the last is covered by less than half
        answered(tables, use_case, day, labelled)
    found = label_figures(tables, use_case, seen(tables, use_case), NOW)
    assert found.rows == 200  # those after the holdout wait for the next time
    assert found.holdout == LabelledWindow(date(2024, 2, 2), date(2024, 2, 3), 150)
    assert (found.end, (found.end - found.start).days) == (date(2024, 2, 4), 365)
    assert (found.key, found.key_share) == ("", 0)
    assert found.shift < 0.1


def test_what_the_champion_learned_from_is_neither_new_nor_held_out(
    tables: Tables, use_case: UseCase
) -> None:
    answered(tables, use_case, 1)
    second = answered(tables, use_case, 2)
    found = label_figures(tables, use_case, seen(tables, use_case, second.head(1)), NOW)
    assert found.holdout == LabelledWindow(date(2024, 2, 1), date(2024, 2, 2), N_ROWS)
    assert found.rows == 0  # what is new is held out or later: nothing to learn from


def test_without_keys_a_row_is_known_by_all_that_was_asked_and_answered(
    tables: Tables, use_case: UseCase
) -> None:
    columns = {name: column for name, column in use_case.columns.items() if name != "id"}
    nameless = use_case.model_copy(update={"keys": (), "columns": columns})
    answered(tables, nameless, 1)
    second = answered(tables, nameless, 2)
    found = label_figures(tables, nameless, seen(tables, nameless, second.head(1)), NOW)
    assert found.holdout == LabelledWindow(date(2024, 2, 1), date(2024, 2, 2), N_ROWS)


def test_a_split_that_is_not_by_time_holds_no_window_out(tables: Tables, use_case: UseCase) -> None:
    answered(tables, use_case, 1)
    by_chance = use_case.model_copy(update={"split": RandomSplit(by="random")})
    found = label_figures(tables, by_chance, seen(tables, use_case), NOW)
    assert (found.holdout, found.rows) == (None, N_ROWS)


def test_what_was_counted_is_what_is_learned_from(tables: Tables, use_case: UseCase) -> None:
    rows = answered(tables, use_case, 1, labelled=150)
    found = label_figures(tables, use_case, seen(tables, use_case), NOW)
    made.label(tables, rows.tail(50))  # they come while a person looks at the figures
    made.answer(tables, use_case, made.rows(N_ROWS, 5, DAYS[0]))
    ask = "count(*) AS answered, count(l.label) AS labelled"
    counts = [
        read_traffic(tables, use_case, DAYS[0], DAYS[1], NOW, read).ask(tables, ask)
        for read in (found.read, None)
    ]
    assert counts == [
        {"answered": N_ROWS, "labelled": 150},
        {"answered": 2 * N_ROWS, "labelled": N_ROWS},
    ]


def test_a_row_that_is_asked_twice_counts_once(tables: Tables, use_case: UseCase) -> None:
    rows = answered(tables, use_case, 1, labelled=0)
    made.answer(tables, use_case, rows)
    made.label(tables, rows, by="id")
    held_out = label_figures(tables, use_case, seen(tables, use_case), NOW).holdout
    assert held_out
    assert held_out.rows == N_ROWS


def test_labels_of_later_than_now_are_not_known(tables: Tables, use_case: UseCase) -> None:
    for day, said in ((1, 10), (2, 3)):  # the second day is held out
        rows = answered(tables, use_case, day, labelled=0)
        made.label(tables, rows, said=datetime(2024, 2, said, tzinfo=UTC))
    champion = seen(tables, use_case)
    counts = [
        label_figures(tables, use_case, champion, datetime(2024, 2, day, tzinfo=UTC)).rows
        for day in (9, 11)
    ]
    assert counts == [0, N_ROWS]
    assert label_figures(tables, use_case, champion, datetime(2024, 2, 2, tzinfo=UTC)).end == (
        date(2024, 2, 2)
    )


def test_one_window_of_made_up_labels_shows(tables: Tables, use_case: UseCase) -> None:
    for day in (1, 3):
        answered(tables, use_case, day)
    rows = answered(tables, use_case, 2, labelled=0)
    made.label(tables, rows.assign(late=True))
    found = label_figures(tables, use_case, seen(tables, use_case), NOW)
    assert found.shifted == "the day from 2024-02-02"
    assert found.shift > 0.4


def test_labels_that_are_numbers_are_compared_as_numbers(tables: Tables, use_case: UseCase) -> None:
    """No two labels are the same number, and yet a day's labels are as those before."""
    label_column = use_case.columns | {"late": Column(type="number", nullable=True)}
    numbers = use_case.model_copy(update={"task": "regression", "columns": label_column})
    days = {name: made.rows(300, 7 + n, f"2024-0{n}-01") for n, name in enumerate(TOLD, 1)}
    for rows in days.values():
        rows["late"] = rows["size"]
    published(tables, numbers, "training", days["training"])
    published(tables, numbers, "holdout", days["holdout"])
    known = ChampionTables(TableVersion("training", 1, 0, ""), TableVersion("holdout", 1, 0, ""))
    answers = days["answers"].assign(prediction=days["answers"]["size"])
    made.answer(tables, numbers, answers)
    made.label(tables, answers, kind="number")
    assert label_figures(tables, numbers, known, NOW).shift < 0.1
    made.label(tables, answers.assign(late=answers["size"] + 1), kind="number", said=CORRECTED)
    assert label_figures(tables, numbers, known, NOW).shift > 0.3


def test_one_key_that_said_a_whole_day_shows_among_many(tables: Tables, use_case: UseCase) -> None:
    days = [answered(tables, use_case, day, labelled=0) for day in (1, 2, 3)]
    made.label(tables, days[0], key_id="eve")  # the champion has learned from it already
    made.label(tables, days[1], key_id="bob")
    made.label(tables, days[2].head(120), key_id="ann")
    made.label(tables, days[2].tail(80), key_id="eve")
    champion = seen(tables, use_case, days[0])
    found = label_figures(tables, use_case, champion, NOW)
    assert (found.key, found.key_share) == ("bob", 1)
    assert found.key_window == "the day from 2024-02-02"
    source = use_case.source.model_copy(update={"late_duplicates": "replace"})
    replacing = use_case.model_copy(update={"source": source})
    assert label_figures(tables, replacing, champion, NOW).key == "eve"


def test_the_share_of_one_key_is_of_all_labels(tables: Tables, use_case: UseCase) -> None:
    rows = answered(tables, use_case, 1, labelled=50)  # imported: no key
    made.label(tables, rows[50:80], key_id="bob")
    made.label(tables, rows[80:200], key_id="eve")
    found = label_figures(tables, use_case, seen(tables, use_case), NOW)
    assert (found.key, found.key_share) == ("eve", 0.6)


def test_a_log_that_hides_a_key_is_refused(tables: Tables, use_case: UseCase) -> None:
    champion = seen(tables, use_case)
    answered(tables, use_case, 1)
    hidden = use_case.columns | {"id": Column(type="integer", personal=True)}
    veiled = use_case.model_copy(update={"columns": hidden})
    with pytest.raises(Refused, match="does not hold the column id"):
        label_figures(tables, veiled, champion, NOW)


def test_without_answers_there_is_nothing(tables: Tables, use_case: UseCase) -> None:
    champion = seen(tables, use_case)
    assert label_figures(tables, use_case, champion, NOW) == LabelledAnswers(
        NOW.date(), NOW.date(), 0, None
    )
    answered(tables, use_case, 1, labelled=0)
    assert label_figures(tables, use_case, champion, NOW).rows == 0
    made.answer(tables, use_case, made.rows(5, 2, DAYS[1]).assign(id=None))  # without their keys
    late = use_case.retraining.model_copy(update={"window_days": 1})
    today = use_case.model_copy(update={"retraining": late})
    assert label_figures(tables, today, champion, NOW).rows == 0


# The lease


HOUR = timedelta(hours=1)
ELSEWHERE = "elsewhere:1:0.0"  # a process of another host, of which nobody here can tell


def test_a_lease_is_held_until_it_is_freed_or_ends(tables: Tables) -> None:
    own = take(tables, ELSEWHERE, HOUR, NOW)
    with pytest.raises(Busy, match=r"elsewhere:1:0\.0, since 2024-07-15 00:00 UTC"):
        take(tables, "third:1:0.0", HOUR, NOW + HOUR / 2)
    second = take(tables, "third:1:0.0", HOUR, NOW + 2 * HOUR)
    assert not free(tables, own, NOW + 2 * HOUR)
    assert free(tables, second, NOW + 2 * HOUR)
    assert take(tables, ELSEWHERE, HOUR, NOW + 2 * HOUR).number == 4


def test_a_holder_that_died_on_this_host_is_not_waited_for(tables: Tables) -> None:
    host, pid, _ = process_identity().split(":")
    dead = f"{host}:{pid}:1.00"  # the number of a process that ended long ago
    take(tables, dead, HOUR, NOW)
    take(tables, process_identity(), HOUR, NOW)
    with pytest.raises(Busy):
        take(tables, ELSEWHERE, HOUR, NOW)


def test_a_failure_frees_the_lease(tables: Tables) -> None:
    with pytest.raises(ZeroDivisionError), leased(tables, process_identity(), HOUR):
        raise ZeroDivisionError
    head = newest(tables)
    assert head
    assert head.holder == ""


def test_a_lease_that_ended_while_it_was_held_is_told(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    with leased(tables, ELSEWHERE, timedelta(0)):
        take(tables, "third:1:0.0", HOUR, datetime.now(UTC))
    assert "another host has taken it over" in capsys.readouterr().err
    head = newest(tables)
    assert head
    assert head.holder == "third:1:0.0"


def test_of_many_that_take_it_at_once_one_has_it(tables: Tables) -> None:
    take(tables, ELSEWHERE, timedelta(0), NOW)  # the table is there
    start, won = threading.Barrier(6), []

    def race(number: int) -> None:
        start.wait()
        try:
            won.append(take(tables, f"host{number}:1:0.0", HOUR, NOW))
        except Busy:
            return

    racers = [threading.Thread(target=race, args=(n,)) for n in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert [newest(tables)] == won
