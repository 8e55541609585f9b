from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import BadInput
from contract.fingerprint import content_hash, row_hashes
from contract.tables import Tables


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(str(tmp_path / "root"), "made")


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": pa.array(numbers, pa.int64()), "text": [f"t{n}" for n in numbers]})


def test_a_version_names_the_same_rows_forever(tables: Tables) -> None:
    first = tables.append("raw", rows(1, 2))
    tables.append("raw", rows(3))
    assert tables.read("raw", first, order_by=["n"]).equals(rows(1, 2))
    assert tables.read("raw", order_by=["n"]).equals(rows(1, 2, 3))


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


@pytest.mark.parametrize(("version", "said"), [(None, "No table 'raw'"), (7, "No table 'raw'")])
def test_a_missing_table_is_named(tables: Tables, version: int | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        tables.read("raw", version)


def test_a_missing_version_is_named(tables: Tables) -> None:
    tables.append("raw", rows(1))
    with pytest.raises(BadInput, match="no version 7; newest: 1"):
        tables.read("raw", 7)


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
