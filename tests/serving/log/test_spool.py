"""The spool of one worker: segments, their names and locks."""

import errno
import os
from pathlib import Path

import pytest

from contract.use_case.model import UseCase
from serving.log.spool import OPEN, SEGMENT_ROWS, close_leftovers, closed_segments
from tests.conftest import made_use_case
from tests.serving.log.test_log import no_file_larger_than
from tests.support.answers import answer, entry, records_in, spool_of


@pytest.fixture
def use_case(home: Path) -> UseCase:
    return made_use_case(home)


def requests_in(folder: Path) -> list[str]:
    """Request ids of all rows in closed segments, in order."""
    return [one.request_id for one in records_in(folder) for _ in range(one.n_rows)]


def test_a_segment_is_closed_by_size(home: Path, use_case: UseCase) -> None:
    spool = spool_of(home / "s", use_case, max_bytes=350)
    for number in range(5):
        spool.write([entry(answer(use_case, f"r{number}"))], sync=True)
    assert [s.sequence for s in closed_segments(home / "s")] == [1, 2]
    spool.close()
    assert requests_in(home / "s") == [f"r{number}" for number in range(5)]
    assert sum(s.rows for s in closed_segments(home / "s")) == 5
    assert list((home / "s").glob(f"*{OPEN}")) == []


def test_a_segment_is_closed_by_rows(home: Path, use_case: UseCase) -> None:
    spool = spool_of(home / "s", use_case)
    for number in range(4):
        spool.write([entry(answer(use_case, f"r{number}", SEGMENT_ROWS // 2))], sync=False)
    assert [s.rows for s in closed_segments(home / "s")] == [SEGMENT_ROWS] * 2


def test_a_segment_is_closed_by_age(home: Path, use_case: UseCase) -> None:
    now = [0.0]
    spool = spool_of(home / "s", use_case, clock=lambda: now[0])
    assert spool.close_due() is None
    spool.write([entry(answer(use_case, "r"))], sync=False)
    now[0] = 4.0
    assert spool.close_due() == 6.0
    assert closed_segments(home / "s") == []
    now[0] = 10.0
    assert spool.close_due() is None
    assert requests_in(home / "s") == ["r"]


def test_a_living_workers_segment_is_left_alone_and_a_dead_ones_closed(
    home: Path, use_case: UseCase
) -> None:
    spool = spool_of(home / "s", use_case)
    spool.write([entry(answer(use_case, "r", 3))], sync=False)
    orphan = home / "s" / f"0123.00000001{OPEN}"
    orphan.write_bytes(b"")
    assert close_leftovers(home / "s") == {}
    assert closed_segments(home / "s") == []
    assert not orphan.exists()
    spool.close()
    assert [s.rows for s in closed_segments(home / "s")] == [3]


def test_two_workers_share_a_folder(home: Path, use_case: UseCase) -> None:
    first, second = spool_of(home / "s", use_case), spool_of(home / "s", use_case)
    first.write([entry(answer(use_case, "a"))], sync=True)
    second.write([entry(answer(use_case, "b"))], sync=True)
    first.close()
    second.close()
    assert sorted(requests_in(home / "s")) == ["a", "b"]
    assert len({s.spool_id for s in closed_segments(home / "s")}) == 2


def test_what_can_not_be_cut_off_is_counted(
    home: Path, use_case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: int) -> None:
        raise OSError(errno.EIO, "the disk fails")

    spool = spool_of(home / "s", use_case)
    spool.write([entry(answer(use_case, "a"))], sync=True)
    (path,) = (home / "s").iterdir()
    group = [entry(answer(use_case, "b", 2)), entry(answer(use_case, "too much", 999))]
    with monkeypatch.context() as patch, no_file_larger_than(path.stat().st_size + 2000):
        patch.setattr(os, "ftruncate", fails)
        with pytest.raises(OSError, match="File too large"):
            spool.write(group, sync=True)
    spool.write([entry(answer(use_case, "after"))], sync=True)
    spool.close()
    assert close_leftovers(home / "s") == {}
    assert requests_in(home / "s") == ["a", "b", "b", "after"]
    assert [s.rows for s in closed_segments(home / "s")] == [3, 1]
