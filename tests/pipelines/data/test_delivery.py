"""Who hears of a refused delivery: once for each, and once when one is taken again."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from contract.errors import BadInput, Refused
from contract.use_case.sections.validation import Expectation
from pipelines.data.delivery import check_frame
from pipelines.data.rehearsal import Rehearsal
from pipelines.ingest import ingest
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.validate import validate
from tests.conftest import deliver, made_rows, made_use_case
from tests.support.receiver import Receiver, listening

SECRET_WORD = "Smith"
NAMED = Expectation(
    expectation="ExpectColumnDistinctValuesToBeInSet",
    severity="critical",
    arguments={"column": "group", "value_set": list("abcdefgh")},
)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Slack, as the environment configures it."""
    with listening(Receiver()) as found:
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", found.url)
        monkeypatch.setenv("FOURCYCLE_ALERT_DEADLINE_S", "0.2")
        yield found


@pytest.fixture
def expecting(receiver: Receiver, home: Path, empty_store: Path) -> Iterator[Workspace]:
    shutil.copy(empty_store / "mlflow.db", home)
    with open_workspace(made_use_case(home, {"expectations": (NAMED,)})) as opened:
        yield opened


def bring(workspace: Workspace, rows: pd.DataFrame) -> bool:
    """Whether the delivery was taken."""
    deliver(Path.cwd(), rows)
    try:
        validate(workspace, ingest(workspace, Rehearsal()).result)
    except Refused:
        return False
    return True


def told(receiver: Receiver) -> list[str]:
    return [json.loads(d.body)["text"].partition(". http")[0] for d in receiver.accepted]


def test_a_refused_delivery_is_told_once_and_its_end_once(
    expecting: Workspace, receiver: Receiver
) -> None:
    rows = made_rows()
    lacking, larger = rows.drop(columns="size"), made_rows(210).drop(columns="size")
    taken = [bring(expecting, given) for given in (lacking, lacking, larger, rows, rows)]
    assert taken == [False, False, False, True, True]
    refusal = "made: DELIVERY_REFUSED. A delivery does not look as declared, nothing was taken in"
    taken_again = "made: DELIVERY_TAKEN. A delivery of the source was taken in again"
    assert [text.partition(". ht")[0].rstrip(".") for text in told(receiver)] == [
        refusal,
        refusal,
        taken_again,
    ]
    section = json.loads(receiver.accepted[0].body)["blocks"][2]["text"]["text"]
    assert section.splitlines()[1].startswith("• the column size is missing")


def test_what_validation_refuses_is_told_without_a_value_of_a_row(
    expecting: Workspace, receiver: Receiver
) -> None:
    rows = made_rows()
    rows.loc[7, "group"] = SECRET_WORD
    assert [bring(expecting, rows), bring(expecting, rows)] == [False, False]
    rows.loc[:20, "size"] = 99.0
    assert not bring(expecting, rows.assign(group="a"))
    assert len(receiver.accepted) == 2
    first, second = (d.body.decode() for d in receiver.accepted)
    assert "Failed: group: column distinct values to be in set is expected" in first
    assert "10.5% of the rows failed (size must be between -10 and 10)" in second
    assert SECRET_WORD not in first + second
    (run,) = expecting.client.search_runs(
        [expecting.experiment_id],
        "attributes.status = 'FAILED'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    assert f"/#/experiments/{expecting.experiment_id}/runs/{run.info.run_id}" in second


def test_a_column_of_another_type_is_told_by_its_place(
    expecting: Workspace, receiver: Receiver
) -> None:
    rows = made_rows().astype({"size": object})
    rows.loc[7, "size"] = SECRET_WORD
    assert not bring(expecting, rows)
    body = receiver.accepted[0].body.decode()
    assert "size: line 9: number expected, found text" in body
    assert SECRET_WORD not in body


def test_an_integer_beyond_floats_stays_exact_beside_a_null() -> None:
    ids = [2**53 + 1, None]
    frame = check_frame(pa.table({"id": pa.array(ids, pa.int64()), "size": [0.5, None]}))
    assert frame["id"][0] == 2**53 + 1
    assert frame["id"].isna().tolist() == [False, True]


def test_a_channel_that_fails_changes_nothing_and_is_tried_again(
    expecting: Workspace, receiver: Receiver
) -> None:
    receiver.script = [404]
    assert not bring(expecting, made_rows().drop(columns="size"))
    assert (receiver.accepted, bring(expecting, made_rows())) == ([], True)
    assert [text.split()[1] for text in told(receiver)] == ["DELIVERY_REFUSED.", "DELIVERY_TAKEN."]


def test_a_source_that_can_t_be_read_is_told_without_what_stands_in_it(
    expecting: Workspace, receiver: Receiver, home: Path
) -> None:
    deliver(home, made_rows())
    with (home / "rows.csv").open("a") as file:
        file.write(f"one,{SECRET_WORD}\n")
    for _ in range(2):
        with pytest.raises((BadInput, Refused)):
            ingest(expecting, Rehearsal())
    (told_once,) = receiver.accepted
    assert b"The source can't be read as declared, nothing was taken in." in told_once.body
    assert SECRET_WORD.encode() not in told_once.body
