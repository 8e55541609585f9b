import re
from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.names import PREDICTION_COLUMNS
from contract.store.predictions import predictions_schema
from contract.use_case.loader import frozen, load_use_case, parse_frozen, parse_use_case
from tests.conftest import MADE, made_use_case
from tests.support.project import PROJECT

FLIGHTS = PROJECT / "use_cases" / "flights.yaml"

WRONG = [
    ("task: binary", "task: binry", r"task: Input should be 'binary'"),
    ("keys: [flight_id]", "keys: [fligt_id]", r"keys\[0\]: no column 'fligt_id'.*'flight_id'"),
    ("keys: [flight_id]", "keys: [version]", r"keys: version is a column of the tables"),
    ("by: time", "by: tme", r"split: .*'tme'"),
    ("holdout_until:", "holdout_untill:", r"split.holdout_untill: unknown key.*'holdout_until'"),
    ("min_rows: 1000", "min_rows: many", r"validation.min_rows: .*'many'"),
    ("min: 0, max: 360", "min: 400, max: 360", r"columns.wind_direction: min 400 is above max 360"),
    ("python: use_cases", "csv: a.csv\n  python: use_cases", r"source: exactly one of"),
    ("python: use_cases", "folder: /\n  python: use_cases", r"source.folder: unknown key; known"),
    ("slices: [origin", "slices: [orign", r"evaluation.slices\[0\]: no column 'orign'"),
    ("{temperature: 1,", "{temperatur: 1,", r"effect_limits\[0\]: no column 'temperatur'"),
    ("event_time: scheduled", "event_tim: scheduled", r"event_tim: unknown key.*'event_time'"),
    ("task: binary", "task: binary\ntask: binary", r"the key 'task' stands twice"),
    ('monitor: "15 2', 'monitr: "15 2', r"schedule.monitr: unknown key.*'monitor'"),
    ('"15 2 * * *"', '"15 2 * *"', r"schedule.monitor: minute, hour, .* '15 2 \* \* \*'"),
    ("labels: inbox/*.csv", "labels: inbox", r"schedule.labels: .*'inbox'"),
    ("labels: inbox/*.csv", "attempts: 2", r"schedule: feedback needs labels, .*inbox/\*.csv"),
    ("low: 0.02, high: 0.2", "low: 0.2, high: 0.02", r"low 0.2 must be below high 0.02"),
]


# Of the made use case.
WRONG_TOO = [
    ("min: -10", "min: .nan", r"columns.size.min: a finite number is needed, found nan"),
    ("margin: 0.05", "margin: .inf", r"gates.margin: a finite number .* inf; leave it out"),
    ("[red, green, blue]", "[]", r"columns.colour.categories: at least one word is needed"),
    (
        "size: {type: number,",
        "size: {type: boolean,",
        r"min and max belong to a number",
    ),
    ("{C: {low: 0.01, high: 10, log: true}}", "{C: {low: 1}}", r"either low and high, or choices"),
    (
        "{C: {low: 0.01, high: 10, log: true}}",
        "{C: {low: 1, high: 2, choices: [1]}}",
        r"either low",
    ),
    ("moment: {type: timestamp}", "moment: {type: timestamp, unit: h}", r"found 'h'; other times"),
    ("{csv: rows.csv}", "{csv: {path: a.csv, thousands: '.'}}", r"'\.' is the sign of decimals"),
    (
        "{csv: rows.csv}",
        "{csv: {path: a.csv, null_values: ['-'], true_values: ['-', 'y']}}",
        r"'-' stands twice among null_values, true_values",
    ),
    ("{csv: rows.csv}", "{csv: {path: a.csv, timestamp_format: '%d.%Z'}}", r"keeps no offset"),
    ("{csv: rows.csv}", "{csv: {path: a.csv, timestamp_format: '%d %I'}}", r"need each other"),
    ("{csv: rows.csv}", "{csv: {path: a.csv, timestamp_format: '%H:%M'}}", r"with a day is needed"),
    ("{csv: rows.csv}", "{csv: {path: a.csv, timestamp_format: '%d.%Q'}}", r"day is needed, e.g."),
    ("{csv: rows.csv}", "{csv: {path: a.csv, timestamp_format: '%d %d'}}", r"day is needed, e.g."),
    ("{csv: rows.csv}", "{python: 'load:rows', since: moment}", r"since belongs to tables, files"),
    ("{csv: rows.csv}", "{csv: {path: a.csv, null_values: [no]}}", r"YAML made False of one"),
    ("event_time: moment", "event_time: moment\nweight: colour", r"'colour' must be a number"),
    ("event_time: moment", "event_time: moment\nweight: size", r"'size' must be a number"),
    ("event_time: moment", "event_time: moment\nweight: id", r"'id' must declare a min of 0"),
    (
        "columns:\n  id: {type: integer}",
        "weight: id\ncolumns:\n  id: {type: integer, min: 0}",
        r"weight: 'id' is key, event time or target already",
    ),
    ("group: {type: string}", "group: {type: integer, categories: [a]}", r"this one is integer"),
    ("group: {type: string}", "group: string", r"columns: Input should be a valid"),
    ("min_rows: 30,", "alarm_windows: 4, of_last: 3,", r"alarm_windows 4 can't be above of_last 3"),
    (
        "validation:",
        "derived: {x: {function: condition, of: size, at_least: 3, below: 2}}\nvalidation:",
        r"at_least 3 must be below 2",
    ),
    (
        "validation:",
        "derived: {x: {function: condition, of: size, at_least: 3, missing: true}}\nvalidation:",
        r"at_least, missing: one condition is needed",
    ),
    (
        "validation:",
        "derived: {x: {function: bins, of: size, edges: [1, 1]}}\nvalidation:",
        r"edges: each must be above the one before",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG_TOO)
def test_a_mistake_in_the_made_use_case_is_said(right: str, wrong: str, said: str) -> None:
    assert right in MADE
    text = MADE.replace(right, wrong, 1)
    with pytest.raises(BadInput, match=said):
        parse_use_case(text, "made.yaml", Path())


@pytest.mark.parametrize("name", ["flights", "arrival-delay", "penguins"])
def test_a_shipped_use_case_reads_and_freezes_to_itself(name: str) -> None:
    use_case = load_use_case(name)
    again = parse_use_case(frozen(use_case), name, Path(use_case.source.folder))
    assert again == use_case


@pytest.mark.parametrize("end", list("\u2028\u2029\x85\r\n"))
def test_a_text_that_holds_what_ends_a_line_freezes_to_itself(end: str) -> None:
    use_case = load_use_case("penguins")
    odd = use_case.model_copy(update={"description": f"a{end}b"})
    again = parse_use_case(frozen(odd), "penguins", Path(use_case.source.folder))
    assert again == odd


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG)
def test_an_error_names_its_path_and_the_nearest_word(right: str, wrong: str, said: str) -> None:
    text = FLIGHTS.read_text(encoding="utf-8").replace(right, wrong, 1)
    with pytest.raises(BadInput) as found:
        parse_use_case(text, "flights.yaml", FLIGHTS.parent)
    assert re.search(said, str(found.value))


def test_limits_may_be_of_predictions_and_labels() -> None:
    text = FLIGHTS.read_text(encoding="utf-8")
    limits = "effect_limits: {prediction: 0.3, label: 0.4, "
    text = text.replace("effect_limits: {", limits, 1)
    declared = parse_use_case(text, "flights.yaml", FLIGHTS.parent).monitoring.effect_limits
    assert (declared["prediction"], declared["label"]) == (0.3, 0.4)


def test_every_error_is_told_at_once() -> None:
    text = FLIGHTS.read_text(encoding="utf-8")
    for right, wrong, _ in (WRONG[0], WRONG[1], WRONG[4], WRONG[5], WRONG[8]):
        text = text.replace(right, wrong, 1)
    with pytest.raises(BadInput) as found:
        parse_use_case(text, "flights.yaml", FLIGHTS.parent)
    assert str(found.value).count("\n  - ") == 5


def test_the_names_that_keys_may_not_have_are_those_of_the_table() -> None:
    assert set(predictions_schema({}, {}, "number").names) == PREDICTION_COLUMNS


NAMES = [  # names of the columns id, moment and size, and what is said of them
    ("id", "moment", "size", ""),
    ("id", "version", "prediction", ""),
    ("Size", "moment", "size", r"columns: 'size' and 'Size' are one name to a table"),
    ("id", "moment", "_Row_Hash", r"columns: '_Row_Hash' and '_row_hash', which every table has"),
    ("id", "moment", "''", r"columns: a column has no name"),
    ("Source", "moment", "size", r"keys: Source is a column of the tables predictions"),
    ("reason", "moment", "size", r"keys: reason is a column of the tables predictions"),
    ("id", "label_time", "size", r"event_time: label_time is said beside it"),
]


@pytest.mark.parametrize(("key", "moment", "size", "said"), NAMES)
def test_a_name_that_no_table_can_hold_is_refused(
    home: Path, key: str, moment: str, size: str, said: str
) -> None:
    text = MADE.replace("[id]", f"[{key}]").replace("  id:", f"  {key}:")
    text = text.replace("moment", moment).replace("  size:", f"  {size}:")
    if not said:
        assert parse_use_case(text, "made.yaml", home).keys == (key,)
        return
    with pytest.raises(BadInput, match=f"made.yaml is not a usable use case:\n  - {said}"):
        parse_use_case(text, "made.yaml", home)


def test_keys_time_and_target_are_no_features() -> None:
    use_case = load_use_case("flights")
    assert not {"flight_id", "scheduled_departure", "late"} & set(use_case.features)


@pytest.mark.parametrize("reference", ["flihgts", "/nowhere/x.yaml"])
def test_an_unknown_use_case_is_a_kind_error(reference: str) -> None:
    with pytest.raises(BadInput, match=r"flights|/nowhere/x.yaml"):
        load_use_case(reference)


def test_a_step_may_depend_on_one_key_of_a_section(home: Path) -> None:
    use_case = made_use_case(home)
    found = use_case.sections("target", "monitoring.reference_rows")
    assert found == {
        "name": "made",
        "task": "binary",
        "target": "late",
        "monitoring": {"reference_rows": 100},
    }


def test_a_frozen_copy_may_hold_words_where_a_unit_of_time_is_asked_today(home: Path) -> None:
    text = MADE.replace("{type: timestamp}", "{type: timestamp, unit: local time}")
    assert parse_frozen(text, home).columns["moment"].unit == "local time"
