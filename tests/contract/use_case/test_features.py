"""Parts of times and derived columns: values, nulls, types, and what is refused by name."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.errors import BadInput
from contract.use_case.features import derivation, sources, told
from contract.use_case.functions import FUNCTIONS, PARTS
from contract.use_case.loader import frozen, load_use_case, parse_frozen, parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import altered, of_persons
from contract.use_case.sections.derived import Derived, Part
from tests.conftest import MADE
from tests.support.project import PROJECT

TYPES = {"n": "number", "i": "integer", "t": "string", "b": "boolean", "a": "timestamp"}
COLUMNS = {name: {"type": kind, "nullable": True} for name, kind in TYPES.items()}
COLUMNS["z"] = {"type": "timestamp"}


def case(changes: dict[str, Any] | None = None, **columns: dict[str, Any]) -> UseCase:
    """The made use case with columns of each type, parts of its event time, and changes."""
    raw = yaml.safe_load(MADE)
    raw["columns"] |= {name: COLUMNS[name] | columns.get(name, {}) for name in COLUMNS}
    for name in columns.keys() - COLUMNS.keys():
        raw["columns"][name] = raw["columns"].get(name, {}) | columns[name]
    return parse_use_case(
        yaml.safe_dump(raw | (changes or {}), sort_keys=False), "made.yaml", Path()
    )


def computed(declared: dict[str, Any], **row: Any) -> Any:
    """What a derived column gives for one row."""
    derive = derivation(case({"derived": {"x": declared}}), ["x"])
    assert derive is not None
    return derive({name: [row.get(name)] for name in derive.reads})["x"][0]


HOUR = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
VALUES: list[tuple[dict[str, Any], dict[str, Any], Any]] = [
    ({"function": "ratio", "of": ["n", "i"]}, {"n": 3.0, "i": 2}, 1.5),
    ({"function": "ratio", "of": ["n", "i"]}, {"n": 3.0, "i": 0}, None),
    ({"function": "ratio", "of": ["i", "n"]}, {"n": -0.0, "i": 1}, None),
    ({"function": "ratio", "of": ["n", "i"]}, {"n": 0.0, "i": -3}, 0.0),
    ({"function": "ratio", "of": ["n", "n"]}, {"n": float("inf")}, None),
    ({"function": "ratio", "of": ["n", "i"]}, {"n": None, "i": 2}, None),
    ({"function": "ratio", "of": ["i", "i"]}, {"i": 2**62 + 1}, 1.0),
    ({"function": "log", "of": "i"}, {"i": 1}, 0.0),
    ({"function": "log", "of": "n"}, {"n": 0.0}, None),
    ({"function": "log", "of": "n"}, {"n": -2.0}, None),
    ({"function": "log", "of": "n"}, {"n": float("inf")}, None),
    ({"function": "bins", "of": "n", "edges": [0, 0.5, 2]}, {"n": -0.0}, "0 to 0.5"),
    ({"function": "bins", "of": "n", "edges": [0, 0.5, 2]}, {"n": -1e-300}, "below 0"),
    ({"function": "bins", "of": "i", "edges": [0, 0.5, 2]}, {"i": 2}, "from 2"),
    ({"function": "bins", "of": "i", "edges": [2**53]}, {"i": 2**53 - 1}, f"below {2**53}"),
    ({"function": "bins", "of": "n", "edges": [1]}, {"n": None}, None),
    ({"function": "length", "of": "t"}, {"t": "žluť🐎"}, 5),
    ({"function": "length", "of": "t"}, {"t": ""}, 0),
    ({"function": "length", "of": "t"}, {"t": None}, None),
    ({"function": "condition", "of": "n", "at_least": 1, "below": 2}, {"n": 1.0}, True),
    ({"function": "condition", "of": "n", "at_least": 1, "below": 2}, {"n": 2.0}, False),
    ({"function": "condition", "of": "n", "at_least": 1}, {"n": float("inf")}, True),
    ({"function": "condition", "of": "i", "below": 2**53 + 1}, {"i": 2**53}, True),
    ({"function": "condition", "of": "t", "one_of": ["AA", "UA"]}, {"t": "UA"}, True),
    ({"function": "condition", "of": "t", "one_of": ["AA", "UA"]}, {"t": None}, None),
    ({"function": "condition", "of": "b", "one_of": [False]}, {"b": True}, False),
    ({"function": "condition", "of": "t", "missing": True}, {"t": None}, True),
    ({"function": "condition", "of": "t", "missing": False}, {"t": None}, False),
    (
        {"function": "difference", "of": ["a", "z"], "unit": "h"},
        {"a": HOUR, "z": HOUR + timedelta(minutes=90)},
        -1.5,
    ),
    ({"function": "difference", "of": ["a", "z"], "unit": "d"}, {"a": None, "z": HOUR}, None),
]


@pytest.mark.parametrize(("declared", "row", "expected"), VALUES)
def test_a_function_gives_this(
    declared: dict[str, Any], row: dict[str, Any], expected: object
) -> None:
    found = computed(declared, **row)
    assert (type(found), repr(found)) == (type(expected), repr(expected))
    column = case({"derived": {"x": declared}}).feature_columns["x"]
    assert found is not None or column.nullable
    assert column.type == FUNCTIONS[declared["function"]].gives
    assert found is None or column.categories is None or found in column.categories


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        # Before and after the gap from 2 to 3 o'clock; the hour from 2 to 3 shown twice.
        ("Europe/Berlin", "2024-03-31T00:59:59+00:00", (3, 31, 1, 59)),
        ("Europe/Berlin", "2024-03-31T01:00:00+00:00", (3, 31, 3, 0)),
        ("Europe/Berlin", "2024-10-27T00:30:00+00:00", (10, 27, 2, 30)),
        ("Europe/Berlin", "2024-10-27T01:30:00+00:00", (10, 27, 2, 30)),
        ("Asia/Kolkata", "2023-12-31T18:31:00+00:00", (1, 1, 0, 1)),
        ("America/New_York", "0001-01-01T00:00:00+00:00", (None, None, None, None)),
        ("Asia/Tokyo", "9999-12-31T20:00:00+00:00", (None, None, None, None)),
    ],
)
def test_parts_are_those_of_the_clock_of_the_zone(
    zone: str, moment: str, expected: tuple[int | None, ...]
) -> None:
    wanted = ["month", "day_of_month", "hour", "minute"]
    derive = derivation(case({"time_zone": zone}, moment={"parts": wanted}))
    assert derive is not None
    found = derive({"moment": [datetime.fromisoformat(moment)]})
    assert tuple(found[f"moment_{part}"][0] for part in wanted) == expected


def test_every_part_lies_in_its_range_and_every_declared_word_has_a_function() -> None:
    times = [datetime(2020, 2, 29, 23, 59, 59) + timedelta(hours=7 * n) for n in range(9000)]
    for part in PARTS.values():
        values = {part.of(time) for time in times}
        assert part.low <= min(values)
        assert max(values) <= part.high
    assert set(PARTS) == set(Part.__args__)  # type: ignore[attr-defined]
    assert (PARTS["day_of_week"].of(times[0]), PARTS["day_of_year"].of(times[0])) == (5, 60)
    assert (PARTS["quarter"].of(times[0]), PARTS["week"].of(times[0])) == (1, 9)


def test_what_is_sent_and_what_the_model_sees_are_two_lists() -> None:
    chained = {
        "wait": {"function": "difference", "of": ["a", "moment"], "unit": "h", "feature": False},
        "long": {"function": "condition", "of": "wait", "at_least": 5},
        "words": {"function": "length", "of": "t"},
    }
    declared = case({"derived": chained}, moment={"parts": ["hour"]}, t={"feature": False})
    assert declared.inputs == ("moment", "colour", "size", "group", "n", "i", "t", "b", "a", "z")
    seen = ("moment_hour", "colour", "size", "group", "n", "i", "b", "z", "long", "words")
    assert declared.features == seen
    assert sources(declared, "long") == {"a", "moment"}
    assert sources(declared, "size") == {"size"}
    assert [name for name, _ in told(declared)] == ["moment_hour", "long", "words"]
    assert parse_frozen(frozen(declared), Path()) == declared


def test_only_what_is_wanted_is_computed_from_what_it_needs() -> None:
    declared = case({"derived": {"r": {"function": "ratio", "of": ["n", "i"]}}})
    assert derivation(declared, ["colour"]) is None
    derive = derivation(case(moment={"parts": ["hour"]}), ["moment_hour"])
    assert derive is not None
    assert derive.reads == ("moment",)


def test_what_comes_of_a_personal_column_is_personal() -> None:
    derived = {
        "words": {"function": "length", "of": "t"},
        "many": {"function": "condition", "of": "words", "at_least": 9},
        "open": {"function": "log", "of": "n"},
    }
    hidden = case({"derived": derived}, t={"personal": True}, n={"personal": True, "log": "keep"})
    assert set(altered(hidden)) == {"t", "words", "many"}
    assert of_persons(hidden) == {"t", "words", "many", "n", "open"}


RATIO = {"function": "ratio", "of": ["n", "i"]}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x": RATIO | {"function": "ration"}}, r"derived.x.function: .*did you mean 'ratio'\?"),
    ({"x": {"function": "log", "of": "nn"}}, r"derived.x.of: no column 'nn'.*did you mean 'n'"),
    ({"x": {"function": "log", "of": "t"}}, "log takes integer or number, 't' is string"),
    ({"x": {"function": "log", "of": ["n", "i"]}}, "log takes 1 columns, found 2"),
    ({"x": RATIO | {"unit": "h"}}, "derived.x.unit: ratio does not take it; it takes nothing"),
    ({"x": {"function": "bins", "of": "n"}}, r"derived.x.edges: is missing, e.g. \{function"),
    ({"x": {"function": "bins", "of": "n", "edges": [2, 1]}}, "must be above the one before"),
    ({"x": {"function": "condition", "of": "n"}}, "a condition needs one of at_least"),
    ({"x": {"function": "condition", "of": "t", "below": 3}}, "compare numbers, 't' is string"),
    ({"x": {"function": "condition", "of": "t", "one_of": [1]}}, "one_of: 1 is no string"),
    ({"x": {"function": "condition", "of": "n", "one_of": [True]}}, "one_of: True is no number"),
    ({"x": {"function": "log", "of": "id"}}, "'id' is key, target, weight or group"),
    ({"Size": RATIO}, "derived.Size: 'size' is a column already"),
    ({"x": {"function": "log", "of": "y"}, "y": RATIO}, "no column 'y' is declared above"),
    ({"x": RATIO | {"edge": 1}}, r"derived.x.edge: unknown key; did you mean 'edges'"),
]


@pytest.mark.parametrize(("derived", "said"), WRONG)
def test_a_wrong_declaration_is_told_by_its_place(derived: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        case({"derived": derived})


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"moment": {"parts": ["hours"]}}, r"parts.0: .*did you mean 'hour'\?"),
        ({"n": {"parts": ["hour"]}}, "parts belong to a timestamp column, this one is number"),
        ({"moment": {"parts": ["hour", "hour"]}}, "hour stands twice"),
        ({"id": {"type": "timestamp", "parts": ["hour"]}}, "columns.id.parts: it is key, target,"),
        (
            {"moment": {"parts": ["hour"]}, "Moment_Hour": {"type": "number"}},
            "columns.moment.parts: 'moment_hour' is a column already; give it another name",
        ),
    ],
)
def test_wrong_parts_are_told_by_their_place(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        case(**columns)


def reference(name: str) -> str:
    """A table of docs/features.md as it follows from the code."""
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    if name == "parts":
        rows = [(f"`{n}`", str(p.low), str(p.high), p.says) for n, p in PARTS.items()]
        head = ("part", "from", "to", "what it is")
    else:
        head = ("function", "reads", "gives", "what it is", "example")
        rows = [
            (
                f"`{n}`",
                ", ".join(" or ".join(sorted(kinds)) for kinds in f.reads),
                f.gives,
                f.says,
                f"`{f.example}`",
            )
            for n, f in FUNCTIONS.items()
        ]
    told = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([told[0], f"|{'---|' * len(head)}", *told[1:]])


@pytest.mark.parametrize("name", ["parts", "functions"])
def test_the_page_lists_what_there_is(name: str) -> None:
    page = (PROJECT / "docs/features.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert table == reference(name)


def test_every_example_of_a_function_can_be_declared() -> None:
    for function in FUNCTIONS.values():
        example = yaml.safe_load(function.example)
        kinds = dict(zip(Derived(**example).of, function.reads, strict=True))
        columns = {name: {"type": max(able - {"string"} or able)} for name, able in kinds.items()}
        raw = yaml.safe_load(MADE)
        raw["columns"] |= columns
        raw["derived"] = {"x": example}
        assert parse_use_case(yaml.safe_dump(raw), "made.yaml", Path()).features[-1] == "x"


def test_a_copy_with_other_columns_has_other_features() -> None:
    flights = load_use_case("flights")
    assert "distance" in flights.inputs and "distance" in flights.features
    columns = {name: c for name, c in flights.columns.items() if name != "distance"}
    copied = flights.model_copy(update={"columns": columns, "keys": ("carrier",)})
    assert "distance" not in copied.inputs and "distance" not in copied.features
    assert "carrier" in copied.apart and "carrier" not in copied.features
    assert copied.model_copy(update={"columns": flights.columns, "keys": flights.keys}) == flights
