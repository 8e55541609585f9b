"""Every reason for which rows do not reach their table stands in /ready, by its real cause."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from contract.store.tables import Tables
from contract.use_case.model import UseCase
from pipelines.replaying.service_process import free_port
from serving.log.spool import closed_segments
from serving.scoring.cache import Cache
from serving.scoring.champion import CurrentVersion
from serving.shipping.shipper import Shipper
from serving.shipping.shipper_status import STATUS_FILE, reasons, status_now, write_status
from tests.conftest import made_use_case
from tests.support.answers import answer, spooled
from tests.support.disks import fill, small_disk
from tests.support.running import app_of, running, spool_in
from tests.support.stores import ask_for_later


@pytest.fixture
def use_case(home: Path) -> UseCase:
    return made_use_case(home)


@pytest.fixture
def spool(home: Path, use_case: UseCase) -> Path:
    """Of a service that has answered one row."""
    folder = spool_in(home)
    spooled(folder, use_case, [answer(use_case, "r")])
    return folder


@contextmanager
def service(home: Path) -> Iterator[str]:
    """The address of a service over that spool; nothing was promoted to it."""
    with running(app_of(CurrentVersion(Cache(home / "cache"), "penguins", 60), home)) as address:
        yield address


def said(address: str) -> list[str]:
    """The reasons beside the one that nothing is served."""
    first, *others = httpx.get(f"{address}/ready").json()["reasons"]
    assert first.startswith("No version of penguins is in Production yet;")
    return list(others)


def shipper(spool: Path, root: Path | str) -> Shipper:
    return Shipper(spool, Tables(str(root), "made"))


def test_a_store_that_is_away_a_full_disk_and_a_newer_table_are_told_until_they_are_mended(
    home: Path, spool: Path, use_case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "none")
    with service(home) as address:
        assert said(address) == []
        shipper(spool, "s3://tables/fourcycle").attempt()
        (away,) = said(address)
        assert away.startswith("Rows wait for the table 'predictions': the store of the tables ")
        assert "does not answer" in away
        assert "127.0.0.1" not in away

        with small_disk(home / "disk") as disk:
            fill(disk)
            shipper(spool, disk).attempt()
            assert said(address) == [
                "Rows wait for the table 'predictions': No space left on device."
            ]

        shipper(spool, home / "newer").attempt()
        ask_for_later(home / "newer/made/predictions")
        spooled(spool, use_case, [answer(use_case, "again")])
        shipper(spool, home / "newer").attempt()
        (later,) = said(address)
        assert "Table 'predictions' of 'made' was written by a newer release" in later

        assert shipper(spool, home / "data").attempt() == ""
        assert said(address) == []


def test_a_damaged_segment_is_told_until_somebody_has_taken_it_away(
    home: Path, spool: Path
) -> None:
    (segment,) = closed_segments(spool)
    segment.path.write_bytes(b"\0" * 1000)
    with service(home) as address:
        shipper(spool, home / "data").attempt()
        (told,) = said(address)
        assert told.startswith("Of the log of predictions, 1 piece could not be read")
        shutil.rmtree(spool / "quarantine")
        shipper(spool, home / "data").attempt()
        assert said(address) == []


def test_a_removed_spool_is_told_without_any_record(home: Path, spool: Path) -> None:
    with service(home) as address:
        assert said(address) == []
        shutil.rmtree(spool)
        assert said(address) == ["The spool folder of predictions was removed, and what was in it."]


def test_a_shipper_that_is_silent_or_writes_nonsense_is_told(spool: Path) -> None:
    status = status_now(spool, 0, "")
    write_status(spool, status)
    assert list(reasons(spool, "predictions", began=0)) == []
    (spool / STATUS_FILE).unlink()
    assert list(reasons(spool, "predictions", began=status.time)) == []  # it may just be starting
    (silent,) = reasons(spool, "predictions", began=status.time - 400)
    assert silent.startswith("The shipper of predictions was last heard 40")
    (spool / STATUS_FILE).write_text("{")
    (nonsense,) = reasons(spool, "predictions", began=status.time)
    assert nonsense.startswith("How the shipper of predictions does can't be read: ")
