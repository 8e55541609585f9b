"""Tables that grow by small commits stay few files, whoever commits and however often."""

from pathlib import Path

import pyarrow as pa
import pytest

from contract.store import tables as tables_module
from contract.store import upkeep
from contract.store.locks import locked
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
from tests.support.answers import answer, entry, spool_of

EVERY = 5


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "MERGE_COMMITS", EVERY)


@pytest.fixture
def tables(home: Path) -> Tables:
    return Tables(str(home / "data"), "made")


def numbered(number: int) -> pa.Table:
    return pa.table({"number": [number], "holder": ["a"]})


def test_an_append_only_table_is_merged_and_compares_and_sets_as_before(tables: Tables) -> None:
    for number in range(1, 18):
        assert tables.append_next("lease", numbered(number), number)
    assert len(tables.open("lease").file_uris()) <= EVERY
    assert tables.read("lease").num_rows == 17
    assert not tables.append_next("lease", pa.table({"number": [17], "holder": ["b"]}), 17)
    assert not tables.append_next("lease", numbered(19), 19)
    assert tables.append_next("lease", numbered(18), 18)
    assert tables.open("lease").transaction_version("lease") == 18


@pytest.mark.parametrize("held", [False, True])
def test_a_shipper_merges_what_it_wrote_unless_somebody_deletes_files(
    tables: Tables, home: Path, held: bool
) -> None:
    use_case = made_use_case(home)
    shipper = Shipper(home / "s", tables)
    shipper.merging = home / "merging.lock"
    if held:
        with locked(shipper.merging, RuntimeError):
            told = shipped(shipper, use_case)
        assert len(tables.open("predictions").file_uris()) == len(told)
    else:
        told = shipped(shipper, use_case)
        assert len(tables.open("predictions").file_uris()) < EVERY
    found = tables.read("predictions", columns=["prediction_id"]).column("prediction_id")
    assert sorted(found.to_pylist()) == sorted(told)


def shipped(shipper: Shipper, use_case: UseCase) -> list[str]:
    """The ids of answers that went into a commit each, all of one day."""
    spool = spool_of(shipper.folder, use_case, max_bytes=1)
    told = []
    for number in range(12):
        answered = answer(use_case, f"r{number}", n_rows=1)
        spool.write([entry(answered)], sync=False)
        assert shipper.ship() == 1
        told += answered.prediction_ids
    spool.close()
    return told


def test_the_version_that_changed_rows_is_found_behind_much_upkeep(tables: Tables) -> None:
    tables.append("predictions", numbered(1), note="rows")
    wanted = tables.append("predictions", numbered(2), note="rows")
    table = tables.open("predictions")
    for often in range(2 * tables_module.RECENT):
        table.alter.set_table_properties({"delta.checkpointInterval": str(30 + often)})
    assert tables.version("predictions") == wanted
    assert tables.metadata("predictions")["note"] == "rows"
    assert tables.metadata("predictions", 1)["note"] == "rows"


def test_versions_that_runs_name_are_never_merged(tables: Tables) -> None:
    for number in range(1, 3 * EVERY):
        tables.append("raw", numbered(number))
    assert len(tables.open("raw").file_uris()) == 3 * EVERY - 1
    assert upkeep.properties_when_made("raw") == upkeep.properties("raw")


def test_files_that_can_t_be_merged_stay_until_next_time(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", upkeep.__name__)
    for number in (1, 2):
        tables.append("lease", numbered(number))
    table = tables.open("lease")
    lost = Path(str(table.file_uris()[0]).removeprefix("file://"))
    away = lost.rename(lost.with_suffix(".away"))
    upkeep.merge(table)
    assert f"small files of {table.table_uri} not merged" in caplog.text
    away.rename(lost)
    upkeep.merge(tables.open("lease"))
    assert tables.read("lease", order_by=["number"]).num_rows == 2
    assert len(tables.open("lease").file_uris()) == 1
