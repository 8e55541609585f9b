"""What is left out and why, what is declared, and which columns know the target too well."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from pipelines.proposing.columns.declared import declared
from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.columns.leakage import leaks
from pipelines.proposing.columns.left_out import why_left_out
from pipelines.proposing.columns.parts import parts_of
from tests.pipelines.proposing.problem.test_problem import HOURS, NOISE, N, column


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("x", NOISE, ""),
        ("x", [1] * N, "the same value"),
        ("x", [1, None] * 50, ""),  # whether it is there says something
        ("at", HOURS, "a moment in time"),
        ("mail", [f"a{n % 30}@example.org" for n in range(N)], "personal"),
        ("phone", [f"+49 30 12345{n % 40}" for n in range(N)], "personal"),
        ("tags", ["['a', 'b']", "[]"] * 50, "lists"),
        ("said", [f"this is all that person {n} had to say" for n in range(N)], "free text"),
        ("name", [f"n{n}" for n in range(N)], "different texts"),
        ("city", ["Rome", "Bern"] * 50, ""),
        ("order_id", [n * 3 for n in range(N)], "identifies"),
        ("order_code", [f"c{n % 30}" for n in range(N)], "identifies"),
        ("nth", [*range(N)], "counts the rows"),
        ("amount", [n * 3 for n in range(N)], ""),
    ],
)
def test_a_column_is_left_out_with_its_reason(name: str, values: list[Any], why: str) -> None:
    found = why_left_out(column(name, values))
    assert (why in found.why) if found and why else found is None and not why


def test_a_personal_column_that_is_left_out_would_be_declared_so() -> None:
    found = why_left_out(column("mail", ["a@example.org", "b@example.org"] * 50))
    assert found
    assert found.declaration == "{type: string, personal: true}"


@pytest.mark.parametrize(
    ("values", "declaration"),
    [
        ([1.5, None], {"type": "number", "nullable": True, "min": 0}),
        ([-1, 2], {"type": "integer"}),
        (
            ["b", "a", "b"] * 5,
            {"type": "string", "categories": ["b", "a"], "unseen": "allow"},
        ),
        (["a"] * 9 + ["b"], {"type": "string"}),  # one of a value may be a slip
        ([f"t{n % 21}" for n in range(210)], {"type": "string"}),
        (["a@example.org", "b@example.org"] * 9, {"type": "string", "personal": True}),
    ],
)
def test_a_declaration(values: list[Any], declaration: dict[str, Any]) -> None:
    found = declared(column("x", values))
    assert found.value == declaration
    assert "example.org" not in found.reason  # of a person nothing is shown


def test_a_unit_is_declared() -> None:
    share = replace(column("x", [12.0, 5.0]).typed, unit="%")
    assert declared(SeenColumn(share)).value == {"type": "number", "unit": "%", "min": 0}


def test_a_column_that_knows_the_target_is_found() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, N).tolist()
    noisy = column("noisy", (np.array(y) + random.normal(size=N)).tolist())
    told = column("told", [f"c{v}" for v in y])
    assert [leak.name for leak in leaks(column("y", y), [noisy, told], True)] == ["told"]
    cost = random.normal(size=1000)
    logged = column("logged", np.exp(cost).tolist())
    found = leaks(column("cost", cost.tolist()), [logged], False)
    assert [leak.name for leak in found] == ["logged"]
    empty = [None if n % 3 else n for n in range(N)]
    late = column("late", [None if v is None else NOISE[v] for v in empty])
    assert "empty exactly" in leaks(column("y", empty), [late], False)[0].why


def test_of_many_rows_some_tell_a_leak_and_of_one_class_none() -> None:
    y = np.random.default_rng(0).integers(0, 2, 25_000)
    told, noisy = column("told", (y + 3).tolist()), column("noisy", [*range(25_000)])
    found = leaks(column("y", y.tolist()), [noisy, told], True)
    assert [leak.name for leak in found] == ["told"]
    alone = [*["a"] * (N - 1), "b"]  # no row of b is left to be judged by
    assert leaks(column("y", alone), [column("told", [*range(N)])], True) == []


def times(n_rows: int, hours: float, start: datetime = datetime(2024, 1, 1)) -> list[datetime]:
    return [start + timedelta(hours=hours * n) for n in range(n_rows)]


@pytest.mark.parametrize(
    ("name", "values", "parts"),
    [
        ("at", times(60, 1), ("hour",)),  # two days and a half: not two weeks
        ("at", times(60, 6), ("hour", "day_of_week")),
        ("at", times(40, 1), ()),  # each hour once or twice
        ("day", times(800, 24), ("day_of_week", "month")),  # no hour varies
        ("day", times(500, 24), ("day_of_week",)),  # months of the holdout are new
        ("week", times(60, 168), ()),  # always a Monday
        ("year", times(12, 365.25 * 24), ()),
        ("at", [*times(60, 6), None], ()),
        ("birth_date", times(800, 24), ()),
        ("day", times(800, 24, datetime(2024, 1, 1, tzinfo=UTC)), ("day_of_week", "month")),
    ],
)
def test_parts_of_a_time_that_come_round(
    name: str, values: list[Any], parts: tuple[str, ...]
) -> None:
    assert parts_of(column(name, values), "Europe/Berlin", [name]) in (
        parts,
        ("hour", *parts) if values[0].tzinfo else parts,  # midnight of UTC is 1 or 2 in Berlin
    )


def test_a_part_whose_name_is_a_column_s_is_not_proposed() -> None:
    at = column("at", times(60, 6))
    assert parts_of(at, "UTC", ["at", "AT_Hour"]) == ("day_of_week",)
