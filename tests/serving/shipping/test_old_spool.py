"""What an older release left in one spool for all roots: shipped where it belongs, or said."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from contract.settings import read_settings
from contract.store.tables import Tables
from serving.log.spool import closed_segments, make_folder
from serving.shipper import shippers
from serving.shipping.old_spool import LOCK_FILE, left_alone
from serving.shipping.shipper import Shipper
from serving.shipping.shipper_status import read_status
from tests.conftest import made_use_case
from tests.support.answers import answer, entry, spool_of, spooled


@pytest.fixture
def ours(home: Path, monkeypatch: pytest.MonkeyPatch) -> Shipper:
    """The shipper of answers of one root, where spools of several roots may meet."""
    monkeypatch.setenv("FOURCYCLE_LOG_SPOOL", str(home / "spools"))
    settings = read_settings(str(home / "data"))
    folder = settings.spool_folder("made")
    make_folder(folder)
    tables = Tables(settings.table_root, "made")
    return shippers(folder, tables, shared=settings.shared_spools)[0]


def ids(tables: Tables) -> list[str]:
    rows = tables.read("predictions", order_by=["prediction_id"])
    found: list[str] = rows.column("prediction_id").to_pylist()
    return found


def test_the_rest_of_a_spool_goes_where_its_start_went_and_the_others_are_said(
    ours: Shipper, home: Path
) -> None:
    use_case, old = made_use_case(home), home / "spools" / "made"
    spool = spool_of(old, use_case, max_bytes=1)
    spool.write([entry(answer(use_case, "r0"))], sync=True)
    Shipper(old, ours.tables).drain()  # as the older release did
    for number in (1, 2):
        spool.write([entry(answer(use_case, f"r{number}"))], sync=True)
    spooled(old, use_case, [answer(use_case, "strange", n_rows=3)])
    for _ in range(2):
        assert ours.attempt() == ""
        assert ids(ours.tables) == ["r0-0", "r1-0", "r2-0"]
        status = read_status(ours.folder)
        assert status is not None
        assert f"3 rows wait in {old}" in status.problem
        assert str(ours.folder) in status.problem
    for segment in closed_segments(old):  # as it asks
        shutil.move(segment.path, ours.folder)
    assert ours.attempt() == ours.waiting == ""
    assert ids(ours.tables)[3:] == ["strange-0", "strange-1", "strange-2"]


def test_a_spool_of_which_no_table_knows_is_said(ours: Shipper, home: Path) -> None:
    use_case, old = made_use_case(home), home / "spools" / "made"
    spooled(old, use_case, [answer(use_case, "r")])
    assert ours.attempt() == ""
    assert f"1 rows wait in {old}" in ours.waiting
    assert len(closed_segments(old)) == 1


def test_a_shipper_of_the_older_release_is_not_disturbed(ours: Shipper, home: Path) -> None:
    use_case, old = made_use_case(home), home / "spools" / "made"
    spooled(old, use_case, [answer(use_case, "r")])
    with FileLock(old / LOCK_FILE):
        assert ours.attempt() == ours.waiting == ""
    Shipper(old, ours.tables).drain()
    assert ours.attempt() == ours.waiting == ""


def test_a_spool_that_can_t_be_taken_over_is_said(ours: Shipper, home: Path) -> None:
    use_case, old = made_use_case(home), home / "spools" / "made"
    spooled(old, use_case, [answer(use_case, "r")])
    (old / LOCK_FILE).mkdir()
    assert ours.attempt() == ""
    assert f"{old}, a spool of an older release, can't be taken over: " in ours.waiting
    assert "Is a directory" in ours.waiting


def test_rows_of_another_root_that_nobody_ships_are_said(ours: Shipper, home: Path) -> None:
    use_case, shared = made_use_case(home), home / "spools"
    other = read_settings(str(home / "other")).spool_folder("made")
    spooled(ours.folder, use_case, [answer(use_case, "ours")])
    spooled(other, use_case, [answer(use_case, "r", n_rows=2)])
    (said,) = left_alone(shared, ours.folder)
    assert said == f"2 rows wait in {other} for a shipper with the --root of that spool"
    with FileLock(other / LOCK_FILE):
        assert list(left_alone(shared, ours.folder)) == []
    assert ours.attempt() == ""
    assert ids(ours.tables) == ["ours-0"]
    assert len(closed_segments(other)) == 1
