import re
from pathlib import Path

import pandas as pd
import pytest

from contract.errors import BadInput, Refused
from contract.use_case.sections.validation import Expectation
from pipelines import datasets
from pipelines.data.rehearsal import Rehearsal
from pipelines.data.validated import Validated
from pipelines.ingest import ingest
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.validate import validate
from tests.conftest import deliver, made_rows, made_use_case

pytestmark = pytest.mark.usefixtures("stored")

MANY = (
    r"10.0% of the rows failed \(size must be between -10 and 10, not so in 20 of 200 rows\), "
    "max_quarantined_share allows 5.0%"
)
MEAN = "size: column mean to be between is expected (min_value 5, max_value 6), found 0.0"


def take_in(workspace: Workspace) -> Validated:
    return validate(workspace, ingest(workspace, Rehearsal()).result).result


def spoiled(n_rows: int) -> pd.DataFrame:
    rows = made_rows()
    rows.loc[: n_rows - 1, "size"] = 99.0
    return rows


def test_good_rows_pass_every_expectation(workspace: Workspace) -> None:
    validated = take_in(workspace)
    assert validated.rows_quarantined == 0
    assert validated.expectations_passed == validated.expectations_total


def test_bad_rows_are_quarantined_with_their_reasons(workspace: Workspace, home: Path) -> None:
    rows = spoiled(2)
    rows.loc[5, "id"] = rows.loc[6, "id"]
    deliver(home, rows)
    validated = take_in(workspace)
    bad = workspace.tables.read("quarantine", order_by=["moment"]).to_pylist()
    assert validated.rows_quarantined == len(bad) == 4
    assert bad[0]["_reasons"] == ["size must be between -10 and 10"]
    assert bad[3]["_reasons"] == ["id must be unique"]
    assert [(note.column, note.kind, note.rows) for note in validated.notes] == [
        ("size", "sentinel", 2)
    ]
    assert validated.line().endswith(", noted: sentinel in size")
    run = workspace.client.search_runs(
        [workspace.experiment_id], "tags.step = 'validate'", max_results=1
    )[0]
    assert "99 in 2 rows, apart from all other values" in run.data.tags["mlflow.note.content"]


def test_rows_of_one_key_and_other_content_are_quarantined_and_counted_as_rows(
    workspace: Workspace, home: Path
) -> None:
    rows = made_rows()
    other = rows.loc[[3]].assign(size=5.0)
    deliver(home, pd.concat([rows, rows.loc[[3]], other]))
    validated = take_in(workspace)
    bad = workspace.tables.read("quarantine").to_pylist()
    assert validated.rows_quarantined == len(bad) == validated.quarantine.rows == 2
    assert [row["id"] for row in bad] == [3, 3]


def test_an_hour_that_the_clock_skips_or_repeats_is_quarantined_by_row(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = made_rows()
    rows["moment"] = pd.date_range("2024-03-09", periods=len(rows), freq="h")
    rows.loc[199, "moment"] = pd.Timestamp("2024-11-03 01:30")
    rows.to_csv(home / "rows.csv", index=False)
    with open_workspace(made_use_case(home, {"time_zone": "America/New_York"})) as workspace:
        assert take_in(workspace).rows_quarantined == 2
        bad = workspace.tables.read("quarantine", order_by=["id"]).to_pylist()
        raw = workspace.tables.read("raw", order_by=["id"]).column("moment").to_pylist()
    skipped, repeated = 26, 199
    assert [(row["id"], row["moment"]) for row in bad] == [(skipped, None), (repeated, None)]
    why = "null is also a time that the clock of America/New_York skips or shows twice"
    assert all(row["_reasons"] == [f"moment must not be null ({why})"] for row in bad)
    capfd.readouterr()
    datasets.main("made", action="read", table="quarantine")
    assert capfd.readouterr().out.count(f'"moment must not be null ({why})"') == 2
    assert raw[0] == pd.Timestamp("2024-03-09T05:00Z")
    assert raw[skipped + 1] == pd.Timestamp("2024-03-10T07:00Z")


def test_too_many_bad_rows_stop_and_leave_raw_as_it_was(workspace: Workspace, home: Path) -> None:
    deliver(home, spoiled(20))
    with pytest.raises(Refused, match=MANY):
        take_in(workspace)
    assert workspace.tables.read("raw").num_rows == 0
    deliver(home, made_rows())
    assert take_in(workspace).rows_quarantined == 0


def test_a_refused_delivery_leaves_the_earlier_ones(workspace: Workspace, home: Path) -> None:
    take_in(workspace)
    deliver(home, spoiled(20))
    with pytest.raises(Refused):
        take_in(workspace)
    assert workspace.tables.read("raw").num_rows == 200


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows.iloc[:1], "number of rows must be at least 20, found 1"),
        (
            lambda rows: rows.assign(late=True),
            "different values of late must be at least 2, found 1",
        ),
        (
            lambda rows: rows.assign(size=float("nan")),
            "size must have a value in some row",
        ),
    ],
)
def test_useless_tables_stop_by_name(
    workspace: Workspace, home: Path, spoil: object, said: str
) -> None:
    deliver(home, spoil(made_rows()))  # type: ignore[operator]
    with pytest.raises(Refused, match=said):
        take_in(workspace)


def test_a_users_warning_is_reported_and_a_critical_one_stops(home: Path) -> None:
    deliver(home, made_rows())
    arguments = {"column": "size", "min_value": 5, "max_value": 6}
    for severity in ("warning", "critical"):
        asked = Expectation(
            expectation="ExpectColumnMeanToBeBetween", severity=severity, arguments=arguments
        )
        with open_workspace(made_use_case(home, {"expectations": (asked,)})) as workspace:
            if severity == "warning":
                (warning,) = take_in(workspace).warnings
                assert warning.startswith(MEAN)
            else:
                with pytest.raises(Refused, match=re.escape(MEAN)):
                    take_in(workspace)


def test_arguments_that_an_expectation_does_not_take_are_named(home: Path) -> None:
    deliver(home, made_rows())
    asked = Expectation(
        expectation="ExpectColumnMeanToBeBetween", arguments={"column": "size", "min_value": "low"}
    )
    with (
        open_workspace(made_use_case(home, {"expectations": (asked,)})) as workspace,
        pytest.raises(BadInput, match="ExpectColumnMeanToBeBetween can't take its arguments"),
    ):
        take_in(workspace)


def test_an_unknown_expectation_names_the_nearest(home: Path) -> None:
    deliver(home, made_rows())
    asked = Expectation(expectation="ExpectColumnMeanToBeBetwen")
    with (
        open_workspace(made_use_case(home, {"expectations": (asked,)})) as workspace,
        pytest.raises(BadInput, match="did you mean 'ExpectColumnMeanToBeBetween'"),
    ):
        take_in(workspace)
