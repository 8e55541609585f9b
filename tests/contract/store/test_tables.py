import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from deltalake.exceptions import DeltaError
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import BadInput, Refused
from contract.names import TableName
from contract.store import upkeep
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.store.schema import TYPES
from contract.store.tables import Tables
from tests.support.stores import ask_for_later

NOW = datetime(2026, 3, 1, 12, 30, 0, 5, UTC)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(str(tmp_path / "root"), "made")


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": pa.array(numbers, pa.int64()), "text": [f"t{n}" for n in numbers]})


def age_log(tables: Tables, name: TableName, days: int) -> None:
    """Make all entries of a table's log as old as that."""
    then = time.time() - days * 86400
    for path in Path(tables.uri(name), "_delta_log").iterdir():
        os.utime(path, (then, then))


def test_a_version_names_the_same_rows_forever(tables: Tables) -> None:
    first = tables.append("raw", rows(1, 2))
    tables.append("raw", rows(3))
    assert tables.read("raw", first, order_by=["n"]).equals(rows(1, 2))
    assert tables.read("raw", order_by=["n"]).equals(rows(1, 2, 3))


def test_a_version_is_settled_whatever_its_values_hold(tables: Tables) -> None:
    """Delta's log holds the smallest and largest values of a column as they are."""
    odd = pa.table({"text": [f"a{end}b" for end in "\u2028\u2029\x85\x0b\x0c\x1c\x1e\r\n"]})
    for row in range(odd.num_rows):
        one = odd.slice(row, 1)
        tables.create("feedback", one.schema)
        intake = tables.intake("feedback")
        intake.settle([intake.append(one, {})])
    assert tables.read("feedback", order_by=["text"]).equals(odd.sort_by("text"))


def test_publishing_the_same_content_makes_no_new_version(tables: Tables) -> None:
    first = tables.publish("training", rows(1, 2), "hash-a")
    assert tables.publish("training", rows(1, 2), "hash-a") == first
    assert tables.publish("training", rows(1), "hash-b").version == first.version + 1


def test_every_version_keeps_the_hash_of_its_own_content(tables: Tables) -> None:
    first = tables.publish("training", rows(1, 2), "hash-a")
    tables.publish("training", rows(1), "hash-b")
    assert tables.metadata("training", first.version)["content_hash"] == "hash-a"


def test_only_what_is_asked_is_read(tables: Tables) -> None:
    tables.append("raw", rows(1, 2, 3))
    found = tables.read("raw", columns=["text"], where="n > 1", order_by=["text"])
    assert found.to_pydict() == {"text": ["t2", "t3"]}


def test_overwriting_a_part_leaves_the_rest(tables: Tables) -> None:
    tables.append("quarantine", rows(1, 2, 3))
    tables.overwrite("quarantine", rows(9), where="n > 1")
    assert tables.read("quarantine", order_by=["n"]).column("n").to_pylist() == [1, 9]


def test_the_next_number_is_taken_once_and_by_whom_can_be_asked_again(tables: Tables) -> None:
    mine, theirs = (
        pa.table({"number": [1], "time": pa.array([NOW], TYPES["timestamp"]), "who": [[who]]})
        for who in ("me", "them")
    )
    assert tables.append_next("lease", mine, 1)
    assert tables.append_next("lease", mine, 1)  # as after a commit that was reported as failed
    assert not tables.append_next("lease", theirs, 1)
    assert not tables.append_next("lease", theirs, 3)
    assert tables.read("lease").to_pylist() == mine.to_pylist()
    more = theirs.append_column("why", pa.array(["an older release wrote no reason"]))
    assert not tables.append_next("lease", more, 1)


def test_a_table_of_a_newer_release_is_not_made_again(tables: Tables) -> None:
    tables.create("raw", rows(1).schema)
    ask_for_later(Path(tables.uri("raw")))
    with pytest.raises(Refused, match="'raw' of 'made' was written by a newer release"):
        tables.create("raw", rows(1).schema)


def test_a_damaged_table_is_not_called_one_of_a_newer_release(tables: Tables) -> None:
    tables.create("raw", rows(1).schema)
    (Path(tables.uri("raw")) / "_delta_log/00000000000000000000.json").write_text("{")
    with pytest.raises(DeltaError):
        tables.create("raw", rows(1).schema)


@pytest.mark.parametrize("version", [None, 7])
def test_a_missing_table_is_named(tables: Tables, version: int | None) -> None:
    with pytest.raises(BadInput, match="No table 'raw'"):
        tables.read("raw", version)


def test_a_missing_version_is_named(tables: Tables) -> None:
    tables.append("raw", rows(1))
    with pytest.raises(BadInput, match="no version 7; newest: 1"):
        tables.read("raw", 7)


def test_a_version_that_runs_name_outlives_its_log_entries(tables: Tables) -> None:
    tables.create("training", rows(0).schema)
    often = {"delta.checkpointInterval": "5"}  # 100 where nothing is said
    tables.open("training").alter.set_table_properties(often)
    named = [tables.publish("training", rows(n), f"hash-{n}") for n in range(8)]
    age_log(tables, "training", days=60)
    for n in range(8, 20):
        tables.publish("training", rows(n), f"hash-{n}")
    assert [tables.intact(version) for version in named] == [True] * 8


def test_the_log_that_is_never_cut_holds_no_value(tables: Tables) -> None:
    for name in upkeep.NAMED:
        tables.publish(name, pa.table({"text": ["a subject"]}), "hash")
        log = Path(tables.uri(name), "_delta_log")
        assert [path.name for path in log.iterdir() if b"a subject" in path.read_bytes()] == []


def test_a_pause_that_leaves_upkeep_alone_in_the_log(tables: Tables) -> None:
    for n in range(3):
        tables.append("predictions", rows(n))
    upkeep.compact(tables.open("predictions"))
    upkeep.vacuum(tables.open("predictions"), timedelta(0), [])
    age_log(tables, "predictions", days=60)
    upkeep.forget_log(tables.open("predictions"))
    assert {entry["operation"] for entry in tables.history("predictions")} <= upkeep.OPERATIONS
    at = tables.version("predictions")
    assert tables.read("predictions", at, order_by=["n"]).equals(rows(0, 1, 2))
    assert tables.metadata("predictions")["operation"] == "VACUUM END"
    more = tables.append("predictions", rows(3))
    assert tables.version("predictions") == more


@given(st.lists(st.integers(-(2**40), 2**40), max_size=30), st.randoms())
def test_a_content_hash_knows_no_order(numbers: list[int], random: Random) -> None:
    shuffled = list(numbers)
    random.shuffle(shuffled)
    assert content_hash(row_hashes(rows(*numbers))) == content_hash(row_hashes(rows(*shuffled)))


@given(st.lists(st.integers(), min_size=1, max_size=5), st.integers(0, 4))
def test_a_row_given_twice_is_other_content(numbers: list[int], at: int) -> None:
    small = [n % 1000 for n in numbers]
    twice = [*small, small[at % len(small)]]
    assert content_hash(row_hashes(rows(*small))) != content_hash(row_hashes(rows(*twice)))
