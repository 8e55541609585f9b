"""The shipper: every record in the table once, and what it can't read set apart."""

import json
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec
import psutil
import pytest

from contract.errors import BadInput, Unavailable
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.log.record import RecordSchema, encode
from serving.log.segment_frames import FrameKind, frame
from serving.log.spool import (
    CLOSED,
    OPEN,
    Segment,
    SpoolEntry,
    closed_segments,
    make_folder,
    salt_of,
)
from serving.shipper import keep_shipping, main
from serving.shipping.batch import Limits
from serving.shipping.quarantine import UnreadableBytes, keep
from serving.shipping.shipper import Shipper
from serving.shipping.shipper_status import ShipperStatus, read_status, status_now, write_status
from tests.conftest import made_use_case
from tests.serving.log.test_log import no_file_larger_than
from tests.support.answers import MOMENT, answer, entry, spool_of, spooled


@pytest.fixture
def use_case(home: Path) -> UseCase:
    return made_use_case(home)


@pytest.fixture
def shipper(home: Path) -> Shipper:
    return Shipper(home / "s", Tables(str(home / "data"), "made"))


def rows(shipper: Shipper) -> list[dict[str, Any]]:
    order = ["request_id", "row"]
    found: list[dict[str, Any]] = shipper.tables.read("predictions", order_by=order).to_pylist()
    return found


def ids(shipper: Shipper) -> list[str]:
    return [row["prediction_id"] for row in rows(shipper)]


def status_of(shipper: Shipper) -> ShipperStatus:
    status = read_status(shipper.folder)
    assert status is not None
    return status


def reasons(folder: Path) -> list[str]:
    facts = [
        json.loads(path.read_text()) for path in sorted((folder / "quarantine").glob("*.json"))
    ]
    return [fact["reason"] for fact in facts]


def test_a_record_of_an_older_release_was_asked_over_http(
    shipper: Shipper, use_case: UseCase
) -> None:
    new = answer(use_case, "r", 2)
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(encode(new))[:-1])
    spool = spool_of(shipper.folder, use_case)
    spool.write([SpoolEntry(FrameKind.PREDICTIONS, new.schema_hash, 2, old)], sync=True)
    spool.close()
    shipper.drain()
    assert [row["source"] for row in rows(shipper)] == ["http", "http"]


def test_a_row_holds_what_was_asked_and_answered(shipper: Shipper, use_case: UseCase) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, "r", 2)])
    shipper.drain()
    first, second = rows(shipper)
    assert first == {
        "prediction_id": "r-0",
        "request_id": "r",
        "row": 0,
        "event_time": MOMENT,
        "event_date": MOMENT.date(),
        "logged_time": MOMENT.replace(day=2),
        "model": "made",
        "version": "7",
        "schema_hash": first["schema_hash"],
        "id": 0,
        "inputs": {"colour": "red", "size": 0.5, "group": "a"},
        "prediction": True,
        "probability": [0.25, 0.75],
        "latency_ms": 0.5,
        "flags": ["unseen:colour"],
        "key_id": None,
        "shadow": None,
        "shadow_version": None,
        "source": "http",
    }
    assert (second["row"], second["event_time"].hour) == (1, 13)
    assert closed_segments(shipper.folder) == []


def test_the_time_of_arrival_stands_for_an_event_time_that_was_not_sent(
    shipper: Shipper, use_case: UseCase
) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, "r", event_time=[None])])
    shipper.drain()
    assert rows(shipper)[0]["event_time"] == rows(shipper)[0]["logged_time"]


def test_many_segments_of_many_workers_are_one_commit(shipper: Shipper, use_case: UseCase) -> None:
    for worker in range(3):
        spool = spool_of(shipper.folder, use_case, max_bytes=1)
        for number in range(4):
            spool.write([entry(answer(use_case, f"{worker}{number}"))], sync=True)
    assert shipper.ship() == 12
    assert shipper.tables.version("predictions") == 1
    assert len(set(ids(shipper))) == 12


@pytest.mark.parametrize(
    ("limit", "number", "commits"), [("bytes", 1, 10), ("rows", 7, 4), ("segments", 4, 3)]
)
def test_a_batch_is_bounded_and_all_of_it_arrives(
    home: Path, use_case: UseCase, limit: str, number: int, commits: int
) -> None:
    most, tables = replace(Limits(), **{limit: number}), Tables(str(home / "data"), "made")
    shipper = Shipper(home / "s", tables, most=most)
    spool = spool_of(shipper.folder, use_case, max_bytes=1)
    for request in range(10):
        spool.write([entry(answer(use_case, f"r{request}", n_rows=2))], sync=True)
    assert shipper.ship() == 10
    assert tables.version("predictions") == commits
    assert ids(shipper) == [f"r{request}-{row}" for request in range(10) for row in range(2)]


def test_a_segment_that_was_shipped_is_not_shipped_again(
    shipper: Shipper, use_case: UseCase, home: Path
) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, "r", 5)])
    shutil.copytree(shipper.folder, home / "copy")
    shipper.drain()
    again = Shipper(home / "copy", shipper.tables)
    again.drain()
    assert len(ids(shipper)) == 5
    assert again.rows_shipped == 0
    assert closed_segments(again.folder) == []


def test_two_hosts_fill_one_table(home: Path, use_case: UseCase) -> None:
    tables = Tables(str(home / "data"), "made")
    hosts = [Shipper(home / name, tables, most=Limits(segments=1)) for name in ("one", "two")]
    for host in hosts:
        for number in range(5):
            spooled(host.folder, use_case, [answer(use_case, f"{host.folder.name}-{number}")])

    def fill(host: Shipper) -> str:
        """As the command does it: what failed is tried again."""
        return next((done for _ in range(20) if not (done := host.attempt())), "never shipped")

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(fill, hosts)) == ["", ""]
    assert ids(hosts[0]) == [f"{name}-{n}-0" for name in ("one", "two") for n in range(5)]


def test_a_segment_that_a_listing_missed_is_not_passed_over(
    shipper: Shipper, use_case: UseCase, home: Path
) -> None:
    spool = spool_of(shipper.folder, use_case, max_bytes=1)
    for number in range(3):
        spool.write([entry(answer(use_case, f"r{number}"))], sync=True)
    missed = closed_segments(shipper.folder)[1].path
    hidden = missed.rename(home / missed.name)
    assert shipper.ship() == 1
    hidden.rename(missed)
    shipper.drain()
    assert ids(shipper) == ["r0-0", "r1-0", "r2-0"]


def test_a_gap_that_stays_does_not_hold_up_the_rest(shipper: Shipper, use_case: UseCase) -> None:
    spool = spool_of(shipper.folder, use_case, max_bytes=1)
    for number in range(3):
        spool.write([entry(answer(use_case, f"r{number}"))], sync=True)
    closed_segments(shipper.folder)[1].path.unlink()
    shipper.drain()
    assert ids(shipper) == ["r0-0", "r2-0"]


@pytest.mark.parametrize(("at", "said"), [(0.5, "between two whole"), (-1, "at the end")])
def test_a_damaged_frame_is_set_apart_and_the_rest_shipped(
    shipper: Shipper, use_case: UseCase, at: float, said: str
) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, f"r{n}") for n in range(9)])
    path = closed_segments(shipper.folder)[0].path
    damaged = bytearray(path.read_bytes())
    damaged[int(at * len(damaged)) if at > 0 else -1] ^= 255
    path.write_bytes(damaged)
    shipper.drain()
    assert len(ids(shipper)) == 8
    assert [said in reason for reason in reasons(shipper.folder)] == [True]
    (kept,) = (shipper.folder / "quarantine").glob("*.unread")
    assert kept.read_bytes() in bytes(damaged)
    assert closed_segments(shipper.folder) == []


@pytest.mark.parametrize(
    ("kind", "version", "payload", "said"),
    [
        (FrameKind.PREDICTIONS, 9, b"", "record version 9, this shipper reads 1"),
        (77, 1, b"", "kind 77 is unknown"),
        (FrameKind.PREDICTIONS, 1, b"\xc1", "the payload is no predictions"),
    ],
)
def test_a_frame_of_another_time_is_set_apart(
    shipper: Shipper, use_case: UseCase, kind: int, version: int, payload: bytes, said: str
) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, "r")])
    (segment,) = closed_segments(shipper.folder)
    strange = frame(kind, version, 1, payload, salt_of(segment.spool_id, segment.sequence))
    segment.path.write_bytes(strange + segment.path.read_bytes())
    shipper.drain()
    assert ids(shipper) == ["r-0"]
    assert [said in reason for reason in reasons(shipper.folder)] == [True]


def test_a_record_that_is_wrong_behind_its_head_costs_itself_alone(
    shipper: Shipper, use_case: UseCase
) -> None:
    good = [answer(use_case, f"r{number}", 1 + number % 3) for number in range(9)]
    spooled(shipper.folder, use_case, good)
    (segment,) = closed_segments(shipper.folder)
    head = ["odd", "made", "7", good[0].schema_hash]
    salt = salt_of(segment.spool_id, segment.sequence)
    wrong = [frame(FrameKind.PREDICTIONS, 1, 1, encode([*head, *rest]), salt) for rest in ([], [5])]
    segment.path.write_bytes(segment.path.read_bytes() + b"".join(wrong))
    shipper.drain()
    wanted = [f"{record.request_id}-{row}" for record in good for row in range(record.n_rows)]
    assert ids(shipper) == wanted
    assert [row["row"] for row in rows(shipper)] == [int(name.split("-")[1]) for name in wanted]
    said = ["the payload is no predictions" in reason for reason in reasons(shipper.folder)]
    assert said == [True, True]
    assert closed_segments(shipper.folder) == []


def test_a_record_whose_columns_are_not_told_is_set_apart(
    shipper: Shipper, use_case: UseCase
) -> None:
    make_folder(shipper.folder)
    record, salt = answer(use_case, "r"), salt_of("ab", 1)
    content = frame(FrameKind.PREDICTIONS, 1, 1, encode(record), salt)
    (shipper.folder / "ab.00000001.1.segment").write_bytes(content)
    spooled(shipper.folder, use_case, [answer(use_case, "whole")])
    shipper.drain()
    assert ids(shipper) == ["whole-0"]
    (reason,) = reasons(shipper.folder)
    assert reason == f"the columns of schema {record.schema_hash} are not in this segment"


def test_a_segment_of_noise_is_set_apart_whole(shipper: Shipper, use_case: UseCase) -> None:
    spool = spool_of(shipper.folder, use_case, max_bytes=1)
    for number in range(2):
        spool.write([entry(answer(use_case, f"r{number}"))], sync=True)
    closed_segments(shipper.folder)[0].path.write_bytes(b"\0" * 1000)
    shipper.drain()
    assert ids(shipper) == ["r1-0"]
    assert len(reasons(shipper.folder)) == 1


def test_a_record_whose_values_do_not_fit_costs_itself_alone(
    shipper: Shipper, use_case: UseCase
) -> None:
    odd = answer(use_case, "odd", prediction=["no boolean"])
    short = answer(use_case, "short", flags=[])
    spooled(shipper.folder, use_case, [answer(use_case, "a"), odd, short, answer(use_case, "b")])
    shipper.drain()
    assert ids(shipper) == ["a-0", "b-0"]
    assert len(reasons(shipper.folder)) == 2


def changed(use_case: UseCase, **columns: Column) -> UseCase:
    return use_case.model_copy(update={"columns": {**use_case.columns, **columns}})


def test_columns_of_a_new_version_are_added_and_old_rows_keep_theirs(
    shipper: Shipper, use_case: UseCase
) -> None:
    newer = changed(use_case, weight=Column(type="number"))
    features = {"colour": ["red"], "size": [1.0], "group": ["a"], "weight": [2.5]}
    spooled(shipper.folder, use_case, [answer(use_case, "old")])
    shipper.drain()
    spooled(shipper.folder, newer, [answer(newer, "new", features=features)])
    spooled(shipper.folder, use_case, [answer(use_case, "old2")])
    shipper.drain()
    found = {row["request_id"]: row["inputs"].get("weight") for row in rows(shipper)}
    assert found == {"old": None, "new": 2.5, "old2": None}


def test_a_type_that_the_table_does_not_hold_is_set_apart(
    shipper: Shipper, use_case: UseCase
) -> None:
    retyped = changed(use_case, size=Column(type="string"))
    features = {"colour": ["red"], "size": ["12"], "group": ["a"]}
    spooled(shipper.folder, use_case, [answer(use_case, "a")])
    shipper.drain()
    spooled(shipper.folder, retyped, [answer(retyped, "odd", features=features)])
    spooled(shipper.folder, use_case, [answer(use_case, "b")])
    shipper.drain()
    assert ids(shipper) == ["a-0", "b-0"]
    assert ["string found where the table holds double" in r for r in reasons(shipper.folder)] == [
        True
    ]


def test_a_frame_of_another_time_beside_a_type_that_does_not_fit_holds_nothing_up(
    shipper: Shipper, use_case: UseCase
) -> None:
    retyped = changed(use_case, size=Column(type="string"))
    features = {"colour": ["red"], "size": ["12"], "group": ["a"]}
    spooled(shipper.folder, use_case, [answer(use_case, "a")])
    shipper.drain()
    spooled(shipper.folder, retyped, [answer(retyped, "odd", features=features)])
    (segment,) = closed_segments(shipper.folder)
    strange = frame(77, 1, 1, b"", salt_of(segment.spool_id, segment.sequence))
    segment.path.write_bytes(strange + segment.path.read_bytes())
    spooled(shipper.folder, use_case, [answer(use_case, "b")])
    assert shipper.attempt() == ""
    assert ids(shipper) == ["a-0", "b-0"]
    assert len(reasons(shipper.folder)) == 2
    assert closed_segments(shipper.folder) == []


def test_files_of_others_in_the_spool_are_left_alone(shipper: Shipper, use_case: UseCase) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, "r")])
    strange = [shipper.folder / name for name in ("x.segment", "x.open", "a.1.2.3.segment")]
    for path in strange:
        path.write_bytes(b"not ours")
    assert shipper.attempt() == ""
    assert ids(shipper) == ["r-0"]
    assert all(path.exists() for path in strange)


@pytest.mark.parametrize(
    ("suffix", "link", "n_shipped"), [(CLOSED, False, 9), (CLOSED, True, 9), (OPEN, False, 8)]
)
def test_a_segment_that_can_not_be_read_holds_up_its_own_spool_alone(
    shipper: Shipper, use_case: UseCase, home: Path, suffix: str, link: bool, n_shipped: int
) -> None:
    spools = {name: spool_of(shipper.folder, use_case, max_bytes=1) for name in "abc"}
    for name, spool in spools.items():
        for number in range(4):
            spool.write([entry(answer(use_case, f"{name}{number}"))], sync=True)
    second = closed_segments(shipper.folder)[1]
    whole = second.path.rename(home / "whole")
    stuck = (
        second.path if suffix == CLOSED else shipper.folder / f"{second.spool_id}.00000002{OPEN}"
    )
    if link:
        stuck.symlink_to(home / "nowhere")
    else:
        stuck.mkdir()  # a folder can't be read, not even by root
    stop = threading.Event()
    stop.set()
    for _ in range(2):
        assert stuck.name in keep_shipping([shipper], 0, stop)
    assert stuck.name in status_of(shipper).problem
    assert len(ids(shipper)) == n_shipped
    stuck.unlink() if link else stuck.rmdir()
    whole.rename(second.path)
    assert keep_shipping([shipper], 0, stop) == ""
    assert len(set(ids(shipper))) == len(ids(shipper)) == 12


def torn(shipper: Shipper, use_case: UseCase, n_segments: int) -> Path:
    """One writer's segments of three requests each; a frame of the first is damaged: its file."""
    spool = spool_of(shipper.folder, use_case)
    for number in range(n_segments):
        spool.write([entry(answer(use_case, f"r{number}{place}")) for place in "abc"], sync=True)
        spool.close()
    path = closed_segments(shipper.folder)[0].path
    path.write_bytes(path.read_bytes().replace(b"r0b", b"r0x"))
    return path


def test_what_can_not_be_copied_to_quarantine_holds_up_its_own_segment_alone(
    shipper: Shipper, use_case: UseCase
) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, "first")])
    shipper.drain()
    damaged = torn(shipper, use_case, 3)
    retyped = changed(use_case, size=Column(type="string"))
    features = {"colour": ["red"], "size": ["12"], "group": ["a"]}
    spooled(shipper.folder, retyped, [answer(retyped, "odd", features=features)])
    place = shipper.folder / "quarantine"
    place.write_bytes(b"")  # a file in its place: there is no room for a folder
    shipped = ["first-0", "r0a-0", "r0c-0", *(f"r{n}{p}-0" for n in (1, 2) for p in "abc")]
    for _ in range(3):
        assert shipper.attempt() == ""
        assert ids(shipper) == shipped
        left = [segment.path for segment in closed_segments(shipper.folder)]
        assert (len(left), damaged in left) == (2, True)
        assert all(f"{path.name} holds" in status_of(shipper).problem for path in left)
    place.unlink()
    assert shipper.attempt() == ""
    assert (ids(shipper), status_of(shipper).problem) == (shipped, "")
    assert closed_segments(shipper.folder) == []
    assert len(reasons(shipper.folder)) == 2


def test_many_that_can_not_be_copied_hold_up_no_other(shipper: Shipper, use_case: UseCase) -> None:
    shipper.most = Limits(segments=2)
    spool = spool_of(shipper.folder, use_case, max_bytes=1)
    for number in range(9):
        spool.write([entry(answer(use_case, f"r{number}"))], sync=True)
    for segment in closed_segments(shipper.folder)[:7]:
        with segment.path.open("ab") as file:
            file.write(b"torn")
    (shipper.folder / "quarantine").write_bytes(b"")
    assert shipper.attempt() == ""
    assert ids(shipper) == [f"r{number}-0" for number in range(9)]
    assert len(closed_segments(shipper.folder)) == 7
    assert status_of(shipper).problem.endswith("2 more wait")


def test_half_a_copy_is_none(home: Path) -> None:
    segment = Segment("a", 1, 1, home / "a.00000001.1.segment")
    with no_file_larger_than(600), pytest.raises(OSError, match="File too large"):
        keep(home / "quarantine", segment, [UnreadableBytes(0, b"x" * 1000, "torn")])
    assert [path.suffix for path in (home / "quarantine").iterdir()] == [".json"]


def test_a_backlog_of_small_segments_takes_little_memory(
    shipper: Shipper, use_case: UseCase
) -> None:
    """An arrow table for each of them took 200 MiB."""
    schema = RecordSchema.of(use_case)
    make_folder(shipper.folder)
    for number in range(1, 2001):
        record, salt = answer(use_case, f"r{number}"), salt_of("ab", number)
        described = frame(FrameKind.SCHEMA, 1, 0, encode(schema), salt)
        content = described + frame(FrameKind.PREDICTIONS, 1, 1, encode(record), salt)
        (shipper.folder / f"ab.{number:08d}.1.segment").write_bytes(content)
    shipper.most = Limits(segments=500)
    before = psutil.Process().memory_info().rss
    assert shipper.ship() == 2000
    assert psutil.Process().memory_info().rss - before < 100 * 2**20
    assert shipper.tables.version("predictions") == 4
    assert len(set(ids(shipper))) == 2000


def test_a_status_that_can_not_be_written_ends_nothing(
    shipper: Shipper, use_case: UseCase, caplog: pytest.LogCaptureFixture
) -> None:
    shipper.rows_shipped = cast(int, 1j)  # JSON holds no such number
    spooled(shipper.folder, use_case, [answer(use_case, "r")])
    assert shipper.attempt() == ""
    assert ids(shipper) == ["r-0"]
    assert "shipper.json could not be written" in caplog.text


def test_days_are_folders(shipper: Shipper, use_case: UseCase) -> None:
    spooled(shipper.folder, use_case, [answer(use_case, "r", n_rows=30)])
    shipper.drain()
    folder = Path(shipper.tables.uri("predictions"))
    assert sorted(path.name for path in folder.glob("event_date=*")) == [
        "event_date=2024-03-01",
        "event_date=2024-03-02",
    ]


def test_the_backlog_is_said(shipper: Shipper, use_case: UseCase) -> None:
    assert read_status(shipper.folder) is None
    spooled(shipper.folder, use_case, [answer(use_case, "r", n_rows=3)])
    write_status(shipper.folder, status_now(shipper.folder, 0, "the store is away"))
    status = status_of(shipper)
    assert (status.backlog_rows, status.problem) == (3, "the store is away")
    assert status.backlog_bytes > 300
    shipper.drain()
    assert status_of(shipper).rows_shipped == 3
    now = status_now(shipper.folder, shipper.rows_shipped, "")
    assert (now.backlog_rows, now.backlog_age_s, now.rows_shipped) == (0, 0.0, 3)


def test_the_strangest_values_that_a_request_may_hold_are_shipped(
    shipper: Shipper, use_case: UseCase
) -> None:
    """One record that the table refused would hold up all that follow."""
    times = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]
    texts = ["\0/%=\n", "😀" * 1000]
    features = {"colour": texts, "size": [1e308, -0.0], "group": ["\u2028", "\u2029\x85"]}
    keys = {"id": [-(2**63), 2**63 - 1]}
    odd = answer(use_case, "odd", 2, event_time=times, features=features, keys=keys)
    spooled(shipper.folder, use_case, [odd])
    assert shipper.attempt() == ""
    found = rows(shipper)
    assert [row["event_time"] for row in found] == times
    assert [row["inputs"]["group"] for row in found] == features["group"]
    assert [row["inputs"]["colour"] for row in found] == features["colour"]
    assert [row["id"] for row in found] == keys["id"]
    assert reasons(shipper.folder) == []


@pytest.fixture
def handlers() -> Iterator[None]:
    """The signals as they were, which the command takes."""
    taken = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in taken]
    yield
    for number, handler in zip(taken, before, strict=True):
        signal.signal(number, handler)


def test_a_drain_that_leaves_something_says_what_and_is_for_later(
    home: Path,
    use_case: UseCase,
    handlers: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("FOURCYCLE_LOG_SPOOL", str(home / "spools"))
    settings = read_settings(str(home / "data"))
    folder, other = settings.spool_folder("made"), read_settings("/other").spool_folder("made")
    spooled(folder, use_case, [answer(use_case, "r")])
    spooled(other, use_case, [answer(use_case, "theirs", n_rows=2)])
    damaged = closed_segments(folder)[0].path
    whole = damaged.read_bytes()
    damaged.write_bytes(whole + b"torn")
    (folder / "quarantine").write_bytes(b"")  # a file in its place: there is no room for a folder
    with pytest.raises(Unavailable, match=f"{damaged.name} holds"):
        main(name="made", root=str(home / "data"), drain="yes")
    assert f"2 rows wait in {other} for a shipper with the --root of that spool" in caplog.text
    (folder / "quarantine").unlink()
    main(name="made", root=str(home / "data"), drain="yes")
    with pytest.raises(BadInput, match="drain: yes or no is needed, found 'maybe'"):
        main(name="made", drain="maybe")
