from pathlib import Path

import pyarrow as pa
import pytest

from contract.store.schema import conform
from contract.use_case.sections.column import Column
from tests.conftest import made_use_case

CASES = [
    ("integer", pa.array([1.0, 2.0, None]), True),
    ("integer", pa.array([1.5]), False),
    ("integer", pa.array(["1"]), False),
    ("integer", pa.array([True]), False),
    ("number", pa.array([1, 2]), True),
    ("number", pa.array(["x"]), False),
    ("number", pa.array([None]), True),
    ("string", pa.array(["a", None]).dictionary_encode(), True),
    ("string", pa.array([7]), False),
    ("boolean", pa.array([True, None]), True),
    ("boolean", pa.array([1]), False),
    ("timestamp", pa.array([0], pa.timestamp("ns")), True),
    ("timestamp", pa.array(["yesterday"]), False),
    ("timestamp", pa.array([True]), False),
    # The years 10000 and 0; databases write an endless time as the largest number.
    *(
        ("timestamp", pa.array([beyond], pa.timestamp("us", zone)), False)
        for beyond in (253_402_300_800_000_000, -62_135_596_800_000_001, 2**63 - 1)
        for zone in (None, "UTC")
    ),
    *(
        ("timestamp", pa.array([edge], pa.timestamp("us", zone)), True)
        for edge in (253_402_300_799_999_999, -62_135_596_800_000_000)
        for zone in (None, "UTC")
    ),
]


@pytest.mark.parametrize(("declared", "delivered", "fits"), CASES)
def test_only_lossless_casts_pass(
    home: Path, declared: str, delivered: pa.Array, fits: bool
) -> None:
    column = Column.model_validate({"type": declared})
    use_case = made_use_case(home, {"columns": {"x": column}})
    conformed = conform(pa.table({"x": delivered}), use_case)
    assert conformed.complete == fits
    assert fits or "x" in conformed.retyped


def test_a_missing_column_is_named_and_nan_is_null(home: Path) -> None:
    columns = {"x": Column(type="number"), "y": Column(type="number")}
    use_case = made_use_case(home, {"columns": columns})
    conformed = conform(pa.table({"x": [1.0, float("nan")], "other": [1, 2]}), use_case)
    assert conformed.missing == ("y",)
    assert conformed.table.to_pydict() == {"x": [1.0, None]}


@pytest.mark.parametrize(
    ("task", "declared", "answered"),
    [("regression", "integer", "number"), ("multiclass", "integer", "integer")],
)
def test_a_regression_on_whole_numbers_answers_numbers(
    home: Path, task: str, declared: str, answered: str
) -> None:
    use_case = made_use_case(home)
    target = Column.model_validate({"type": declared})
    changed = {"task": task, "columns": use_case.columns | {"late": target}}
    assert use_case.model_copy(update=changed).answer_type == answered
