"""The same job has the same ids, and one writer on a host; what is known of it is kept."""

import hashlib
import threading
from pathlib import Path
from uuid import RFC_4122, UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Busy
from contract.settings import read_settings
from pipelines.scoring.job import TargetState, TargetStates, job_id, request_id

NAMED = {"model": "orders", "version": "1", "digest": "d", "source": "rows.parquet@3"}


def test_a_job_is_another_one_where_anything_of_it_is() -> None:
    same = job_id(**NAMED)
    assert (len(same), int(same, 16) >= 0) == (32, True)
    assert job_id(**NAMED) == same
    others = {job_id(**NAMED | {name: "other"}) for name in NAMED}
    assert len(others | {same}) == 5
    assert job_id("a", "bc", "d", "s") != job_id("ab", "c", "d", "s")


JOBS = st.text("0123456789abcdef", min_size=32, max_size=32)
STARTS = st.integers(0, 2**48 - 1)


@given(JOBS, STARTS, st.integers(0, 10**6))
def test_a_part_s_id_is_a_uuid_of_the_job_s_start(job: str, started_ms: int, part: int) -> None:
    found = UUID(request_id(job, started_ms, part))
    assert (found.version, found.variant) == (7, RFC_4122)
    assert found.int >> 80 == started_ms
    assert request_id(job, started_ms, part) == str(found)
    # The other 74 bits are the first of the hash: 12 beside the version, 62 beside the variant.
    hashed = int.from_bytes(hashlib.sha256(f"{job}/{part}".encode()).digest()[:10])
    assert (found.int >> 64) & 0xFFF == (hashed >> 64) & 0xFFF
    assert found.int & (1 << 62) - 1 == hashed & (1 << 62) - 1


def test_parts_and_jobs_have_ids_of_their_own() -> None:
    found = {request_id(job, 5, part) for job in ("a", "b") for part in range(1000)}
    assert len(found) == 2000


@pytest.fixture
def states(home: Path) -> TargetStates:
    return TargetStates.of(read_settings(), "orders", "answers.parquet")


KNOWN = TargetState("job", 1_700_000_000_000, "stands", "3", 7, 2, {"unseen:colour": 1})


def test_what_is_known_of_a_target_is_kept(states: TargetStates) -> None:
    assert msgspec.structs.astuple(states.read()) == ("", 0, "", "", 0, 0, {})
    states.write(KNOWN)
    assert states.read() == KNOWN
    states.write(TargetState("next"))
    assert states.read() == TargetState("next")
    settings = read_settings()
    assert TargetStates.of(settings, "orders", "answers.parquet").read() == TargetState("next")
    for use_case, target in (("orders", "other.parquet"), ("flights", "answers.parquet")):
        assert TargetStates.of(settings, use_case, target).read() == TargetState()


@pytest.mark.parametrize("spoilt", [b"", b"{", b'{"rows": "many"}', b"[]"])
def test_what_can_not_be_read_is_not_known(states: TargetStates, spoilt: bytes) -> None:
    states.write(KNOWN)
    states.file.write_bytes(spoilt)
    assert states.read() == TargetState()


def test_a_write_that_did_not_end_leaves_what_was_known(states: TargetStates) -> None:
    states.write(KNOWN)
    left = states.file.with_suffix(".new")
    left.write_bytes(b'{"job": "ha')  # as a process that was killed leaves it
    assert states.read() == KNOWN
    states.write(TargetState("next"))
    assert states.read() == TargetState("next")
    assert not left.exists()


def test_two_writers_of_a_target_are_one_too_many(states: TargetStates, home: Path) -> None:
    other = TargetStates.of(read_settings(), "orders", "other.parquet")
    told: list[str] = []

    def try_both() -> None:
        with other.held("other.parquet"):
            told.append("other")
        with pytest.raises(Busy, match=r"writes answers to answers\.parquet; nothing was done"):
            states.held("answers.parquet").__enter__()
        told.append("busy")

    with states.held("answers.parquet"):
        elsewhere = threading.Thread(target=try_both)
        elsewhere.start()
        elsewhere.join()
    assert told == ["other", "busy"]
    with states.held("answers.parquet"):
        told.append("free again")
    assert told[-1] == "free again"
