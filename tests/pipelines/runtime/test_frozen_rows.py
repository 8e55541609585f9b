"""A bit that flips in a table's file is found, or gives the same rows."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import Refused
from contract.names import ROW_HASH
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.store.schema import conform
from contract.store.tables import Tables, TableVersion
from pipelines.runtime.frozen_rows import read_frozen
from tests.conftest import made_rows, made_use_case
from tests.support.rounds import rounds

SAID = "The rows of training version {} are not the ones that were written: files in "


def frozen(tables: Tables, rows: pa.Table) -> TableVersion:
    hashes = row_hashes(rows)
    rows = rows.append_column(ROW_HASH, pa.array(hashes))
    return tables.publish("training", rows, content_hash(hashes))


@pytest.fixture
def tables(home: Path) -> Tables:
    return Tables(str(home), "made")


@pytest.fixture
def training(tables: Tables, home: Path) -> TableVersion:
    rows = pa.Table.from_pandas(made_rows(), preserve_index=False)
    return frozen(tables, conform(rows, made_use_case(home)).table)


def test_a_flipped_bit_is_found_or_gives_the_same_rows(
    tables: Tables, training: TableVersion, home: Path
) -> None:
    (file,) = (home / "made/training").glob("*.parquet")
    good, right = file.read_bytes(), read_frozen(tables, training, ["id"])
    draw, found = random.Random(0), 0
    for _ in range(rounds(60, 600)):
        at = draw.randrange(len(good) * 8)
        spoiled = bytearray(good)
        spoiled[at // 8] ^= 1 << at % 8
        file.write_bytes(spoiled)
        try:
            assert read_frozen(tables, training, ["id"]).equals(right), f"bit {at}"
        except Refused as error:
            assert str(error).startswith(SAID.format(training.version))
            found += 1
    assert found > 10


def test_what_is_not_there_is_away_and_not_damaged(
    tables: Tables, training: TableVersion, home: Path
) -> None:
    (file,) = (home / "made/training").glob("*.parquet")
    file.unlink()
    with pytest.raises(Exception, match="were removed") as raised:
        read_frozen(tables, training)
    assert not isinstance(raised.value, Refused)


def test_a_version_whose_file_is_gone_is_written_again(
    tables: Tables, training: TableVersion, home: Path
) -> None:
    (file,) = (home / "made/training").glob("*.parquet")
    rows = read_frozen(tables, training).drop_columns([ROW_HASH])
    assert frozen(tables, rows) == training
    file.unlink()
    again = frozen(tables, rows)
    assert again.version == training.version + 1
    assert read_frozen(tables, again).num_rows == training.rows


def test_rows_that_were_hashed_with_the_sign_of_their_zeros_are_as_they_were(
    tables: Tables,
) -> None:
    signed = -1443879933753513371  # of the number -0.0, before zeros lost their sign
    rows = pa.table({"size": [-0.0], ROW_HASH: [signed]})
    table = tables.publish("training", rows, content_hash(rows.column(ROW_HASH).to_numpy()))
    assert read_frozen(tables, table).column("size").to_pylist() == [0.0]
