"""The writer's side of the log: groups in, one line for each out, segments on a real disk."""

import errno
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.store.tables import Tables
from contract.use_case.model import UseCase
from serving.log.prediction_record import PredictionRecord
from serving.log.record import RecordSchema, encode
from serving.log.spool import Spool, close_leftovers, closed_segments, make_folder
from serving.log.writer import LENGTH, RecordGroup, write_groups
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
from tests.support.answers import ONE_SEGMENT, answer, entry
from tests.support.traffic import logged_ids


@pytest.fixture
def use_case(home: Path) -> UseCase:
    return made_use_case(home)


class Worker:
    """A worker's end of the socket."""

    def __init__(self, use_case: UseCase, connection: socket.socket) -> None:
        schema = RecordSchema.of(use_case)
        self.schemas = {schema.schema_hash: encode(schema)}
        self.connection = connection

    def send(self, *answers: PredictionRecord) -> None:
        """One group."""
        self.connection.sendall(framed(RecordGroup(self.schemas, [entry(a) for a in answers])))
        self.schemas = {}

    def write(self, *answers: PredictionRecord) -> str:
        """What the writer says of a group."""
        self.send(*answers)
        return self.connection.recv(4096).decode()


def framed(group: RecordGroup) -> bytes:
    body = encode(group)
    return LENGTH.pack(len(body)) + body


@contextmanager
def working(spool: Spool, use_case: UseCase) -> Iterator[Worker]:
    """A writer at work; it ends when the block does."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=write_groups, args=(spool, True, theirs))
    thread.start()
    try:
        with ours:
            yield Worker(use_case, ours)
    finally:
        thread.join(timeout=20)
        theirs.close()
    assert not thread.is_alive()


def segments(folder: Path) -> Sequence[tuple[int, int]]:
    return [(s.sequence, s.rows) for s in closed_segments(folder)]


def ids(home: Path, use_case: UseCase) -> list[str]:
    """What a shipper makes of the spool."""
    tables = Tables(str(home / "data"), use_case.name)
    Shipper(home / "s", tables).drain()
    assert not (home / "s" / "quarantine").exists()
    return sorted(logged_ids(tables))


def test_a_sync_that_fails_is_told_and_nothing_follows_it_in_its_segment(
    home: Path, use_case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk holds of a write whose sync failed nobody knows."""
    failing: list[int] = []

    def fdatasync(descriptor: int) -> None:
        if failing:
            raise OSError(failing.pop(), "Input/output error")
        sync(descriptor)

    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with working(Spool(home / "s", ONE_SEGMENT, 10), use_case) as worker:
        assert worker.write(answer(use_case, "before")) == "\n"
        failing.append(errno.EIO)
        assert worker.write(answer(use_case, "during")) == "Input/output error\n"
        assert segments(home / "s") == [(1, 1)]
        assert worker.write(answer(use_case, "after")) == "\n"
    assert segments(home / "s") == [(1, 1), (2, 1)]
    assert ids(home, use_case) == ["after-0", "before-0"]


def test_a_segment_that_can_t_be_begun_or_closed_costs_no_row(
    home: Path,
    use_case: UseCase,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing: list[int] = []

    def fsync(descriptor: int) -> None:
        if failing and Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(home / "s"):
            raise OSError(failing.pop(), "Input/output error")
        sync(descriptor)

    sync = os.fsync
    make_folder(home / "s")
    monkeypatch.setattr(os, "fsync", fsync)
    failing.append(errno.EIO)
    with working(Spool(home / "s", ONE_SEGMENT, 10), use_case) as worker:
        assert worker.write(answer(use_case, "lost")) == "Input/output error\n"
        assert worker.write(answer(use_case, "told")) == "\n"
        failing.append(errno.EIO)
    assert "could not be closed: Input/output error" in caplog.text
    assert segments(home / "s") == []
    assert close_leftovers(home / "s") == {}
    assert [rows for _, rows in segments(home / "s")] == [1]
    assert ids(home, use_case) == ["told-0"]


def test_a_fault_while_a_segment_is_closed_ends_nothing(
    home: Path, use_case: UseCase, caplog: pytest.LogCaptureFixture
) -> None:
    looks = itertools.count()

    def clock() -> float:
        if next(looks) == 1:  # the first is when the segment is opened, this one how old it is
            raise ValueError("no time")
        return time.monotonic()

    with working(Spool(home / "s", ONE_SEGMENT, 10, clock), use_case) as worker:
        assert [worker.write(answer(use_case, name)) for name in "ab"] == ["\n", "\n"]
    assert segments(home / "s") == [(1, 2)]
    assert "a segment can't be closed (ValueError)" in caplog.text


def test_groups_that_wait_share_a_sync_and_each_gets_its_line(
    home: Path, use_case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on, syncs = threading.Event(), threading.Event(), list[int]()

    def fdatasync(descriptor: int) -> None:
        syncs.append(descriptor)
        began.set()
        assert go_on.wait(20)
        sync(descriptor)

    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    with working(Spool(home / "s", ONE_SEGMENT, 10), use_case) as worker:
        worker.send(answer(use_case, "first"))
        assert began.wait(20)
        for name in "abc":
            worker.send(answer(use_case, name))
        last = framed(RecordGroup({}, [entry(answer(use_case, "last"))]))
        worker.connection.sendall(last[:-7])
        go_on.set()
        with worker.connection.makefile("rb") as lines:
            assert [lines.readline() for _ in range(4)] == [b"\n"] * 4
            assert len(syncs) == 2
            worker.connection.sendall(last[-7:])
            assert lines.readline() == b"\n"
    assert segments(home / "s") == [(1, 5)]
    assert ids(home, use_case) == ["a-0", "b-0", "c-0", "first-0", "last-0"]


@pytest.mark.parametrize("sent", [1, LENGTH.size, LENGTH.size + 1, -1])
def test_a_worker_that_dies_while_it_sends_leaves_what_it_sent_before(
    home: Path, use_case: UseCase, sent: int
) -> None:
    with working(Spool(home / "s", ONE_SEGMENT, 10), use_case) as worker:
        assert worker.write(answer(use_case, "whole")) == "\n"
        worker.connection.sendall(framed(RecordGroup({}, [entry(answer(use_case, "part"))]))[:sent])
    assert ids(home, use_case) == ["whole-0"]


def test_a_worker_that_died_before_it_was_told_costs_nothing(home: Path, use_case: UseCase) -> None:
    with working(Spool(home / "s", ONE_SEGMENT, 10), use_case) as worker:
        assert worker.write(answer(use_case, "told")) == "\n"
        worker.send(answer(use_case, "untold"))  # and it never reads the outcome
    assert segments(home / "s") == [(1, 2)]
    assert ids(home, use_case) == ["told-0", "untold-0"]
