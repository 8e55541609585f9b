"""Labels: what counts follows from the set of statements, not from their order or number."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from contract.store.feedback import feedback_schema
from contract.store.labels import (
    PendingLabels,
    label_tables,
    labels_sql,
    pending,
    revisions_sql,
    shared_keys,
)
from contract.store.predictions import PARTITION, predictions_schema
from contract.store.tables import Tables

DAY = datetime(2024, 3, 1, tzinfo=UTC)
PREDICTIONS = predictions_schema({"size": "number"}, {"id": "integer"}, "boolean")
FEEDBACK = feedback_schema({"id": "integer"}, "boolean")
KEYS = ["id"]


def hour(number: float) -> datetime:
    return DAY + timedelta(hours=number)


def said(label: bool, known: float, received: float | None = None, **about: Any) -> dict[str, Any]:
    """A statement about `prediction_id`, or `id` and perhaps `event_time`."""
    at = {"label_time": hour(known), "received_time": hour(known if received is None else received)}
    nothing: dict[str, Any] = dict.fromkeys(FEEDBACK.names)
    return nothing | {"label": label} | at | about


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    """Predictions a-0 and b-0 of the row with id 1, a-1 of the row with id 2."""
    tables = Tables(str(tmp_path / "root"), "made")
    tables.create("predictions", PREDICTIONS, [PARTITION])
    tables.create("feedback", FEEDBACK)
    predict(tables, ("a-0", 1), ("a-1", 2), ("b-0", 1))
    return tables


def predict(tables: Tables, *rows: tuple[str, int]) -> None:
    nothing: dict[str, Any] = dict.fromkeys(PREDICTIONS.names)
    made = [
        nothing | {"prediction_id": name, "id": key, "event_time": DAY, PARTITION: DAY.date()}
        for name, key in rows
    ]
    tables.append("predictions", pa.Table.from_pylist(made, schema=PREDICTIONS))


def say(tables: Tables, *statements: dict[str, Any]) -> None:
    tables.append("feedback", pa.Table.from_pylist(list(statements), schema=FEEDBACK))


def labels(tables: Tables, **how: Any) -> dict[str, tuple[int, bool]]:
    """Revision and label that count, by prediction."""
    opened = label_tables(tables)
    found = tables.query(labels_sql(shared_keys(opened, KEYS), **how), **opened).to_pylist()
    assert len({row["prediction_id"] for row in found}) == len(found)
    return {row["prediction_id"]: (row["revision"], row["label"]) for row in found}


def test_a_label_finds_its_prediction_by_id_or_every_prediction_of_a_row(tables: Tables) -> None:
    say(tables, said(True, 1, prediction_id="a-1"), said(False, 2, id=1))
    assert labels(tables) == {"a-1": (1, True), "a-0": (1, False), "b-0": (1, False)}


def test_the_same_label_again_is_no_new_revision_and_another_one_is(tables: Tables) -> None:
    say(tables, *(said(True, h, prediction_id="a-0") for h in (1, 1, 2)))
    assert labels(tables) == {"a-0": (1, True)}
    say(tables, said(False, 3, prediction_id="a-0"))
    assert labels(tables) == {"a-0": (2, False)}
    say(tables, said(True, 4, prediction_id="a-0"))
    assert labels(tables) == {"a-0": (3, True)}


def test_an_older_label_that_comes_later_does_not_count(tables: Tables) -> None:
    say(tables, said(False, 5, prediction_id="a-0"), said(True, 1, received=9, prediction_id="a-0"))
    assert labels(tables) == {"a-0": (2, False)}


def test_a_repetition_does_not_undo_a_correction(tables: Tables) -> None:
    first = said(True, 1, 2, prediction_id="a-0", key_id="crm")
    say(tables, first, said(False, 1, 3, prediction_id="a-0", key_id="desk"))
    say(tables, first | {"received_time": hour(4), "key_id": "retry"})
    rows = tables.query(revisions_sql(KEYS), **label_tables(tables)).to_pylist()
    found = sorted((r["revision"], r["label"], r["received_time"], r["key_id"]) for r in rows)
    assert found == [(1, True, hour(2), "crm"), (2, False, hour(3), "desk")]


def test_a_clock_that_is_ahead_does_not_outdo_a_correction(tables: Tables) -> None:
    say(tables, said(True, 1.05, received=1, prediction_id="a-0"))
    say(tables, said(False, 1.02, prediction_id="a-0"))
    assert labels(tables) == {"a-0": (2, False)}


def test_labels_follow_from_what_was_said_whatever_the_order(tables: Tables) -> None:
    statements = [said(h % 3 > 0, h, prediction_id="a-0") for h in range(7)]
    statements += [said(h % 2 > 0, h + 0.5, id=1) for h in range(7)]
    say(tables, *statements)
    expected = labels(tables)
    assert set(expected) == {"a-0", "b-0"}
    for seed in range(3):
        tables.delete("feedback", "true")
        again = [*statements, *statements[:5]]
        Random(seed).shuffle(again)
        for statement in (again[:9], again[9:]):
            say(tables, *statement)
        assert labels(tables) == expected


def test_an_event_time_tells_rows_with_equal_keys_apart(tables: Tables) -> None:
    say(tables, said(True, 1, id=1, event_time=hour(1)), said(True, 1, id=2, event_time=DAY))
    assert labels(tables) == {"a-1": (1, True)}


def test_a_window_and_a_moment_restrict_what_is_asked(tables: Tables) -> None:
    say(tables, said(True, 1, prediction_id="a-0"), said(False, 2, prediction_id="a-0"))
    say(tables, said(True, 1, prediction_id="b-0"))
    assert labels(tables, where="p.prediction_id < 'b'", as_of=hour(1)) == {"a-0": (1, True)}
    assert labels(tables, where="p.event_date > DATE '2024-03-01'") == {}


def test_all_revisions_can_be_read(tables: Tables) -> None:
    say(tables, said(True, 1, 4, prediction_id="a-0"), said(False, 2, 3, prediction_id="a-0"))
    rows = tables.query(revisions_sql(KEYS), **label_tables(tables)).to_pylist()
    found = sorted((r["revision"], r["label"], r["label_time"], r["newest"]) for r in rows)
    assert found == [(1, True, hour(1), False), (2, False, hour(2), True)]


def test_a_label_waits_for_its_prediction(tables: Tables) -> None:
    say(tables, said(True, 2, prediction_id="c-0"), said(True, 4, id=9), said(True, 1, id=1))
    assert pending(tables, KEYS, hour(0)) == PendingLabels(2, 0, hour(2))
    assert pending(tables, KEYS, hour(3)) == PendingLabels(2, 1, hour(2))
    predict(tables, ("c-0", 3))
    assert labels(tables)["c-0"] == (1, True)
    assert pending(tables, KEYS, hour(9)) == PendingLabels(1, 1, hour(4))


def test_keys_name_a_row_only_all_together(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path / "root"), "made")
    tables.create("predictions", PREDICTIONS, [PARTITION])  # another key is not in the log
    tables.create("feedback", FEEDBACK)
    predict(tables, ("a-0", 1), ("b-0", 1))
    say(tables, said(True, 1, id=1), said(False, 1, prediction_id="b-0"))
    opened, keys = label_tables(tables), ["id", "ward"]
    found = tables.query(labels_sql(shared_keys(opened, keys)), **opened).to_pylist()
    assert [(row["prediction_id"], row["label"]) for row in found] == [("b-0", False)]
    assert pending(tables, keys, hour(2)) == PendingLabels(1, 1, hour(1))


def test_without_predictions_everything_waits(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path / "root"), "made")
    assert pending(tables, KEYS, DAY) == PendingLabels(0, 0, None)
    say(tables, said(True, 1, id=1))
    assert pending(tables, KEYS, DAY).pending == 1
