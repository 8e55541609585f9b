import hashlib
import struct
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from contract.names import ROW_KEY, ROW_NUMBER
from contract.store.rows.row_keys import cell_hashes, named
from contract.store.schema import conform
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase

KEYLESS = """
name: keyless
title: Keyless
task: regression
source: {parquet: rows.parquet}
keys: row_hash
target: number
columns:
  number: {type: number, nullable: true}
  integer: {type: integer, nullable: true}
  'a "text"': {type: string, nullable: true}
  boolean: {type: boolean, nullable: true}
  moment: {type: timestamp, nullable: true}
split: {by: random}
estimator: {path: sklearn.linear_model.Ridge}
evaluation: {metric: rmse}
"""
TEXT = 'a "text"'
MOMENT = datetime(2024, 1, 31, 23, 59, 59, 250_000, tzinfo=UTC)


def keyless() -> UseCase:
    return parse_use_case(KEYLESS, "keyless.yaml", Path())


def hashes(**columns: pa.Array) -> list[str]:
    """Hashes of rows that a source delivered, cast to the declared types; other columns null."""
    told = {TEXT if name == "text" else name: values for name, values in columns.items()}
    n_rows = len(next(iter(told.values())))
    rest = {name: pa.nulls(n_rows) for name in keyless().columns if name not in told}
    conformed = conform(pa.table(told | rest), keyless())
    assert conformed.complete, conformed.retyped
    return list(cell_hashes(conformed.table).to_pylist())


def by_hand(*cells: tuple[str, str, str]) -> str:
    """The rule of docs/row-hash.md once more, in plain Python."""
    text = "row_hash 1\n"
    for name, kind, value in cells:
        text += f"{len(name.encode())}:{name},{kind}{len(value.encode())}:{value},"
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_hash_is_what_the_written_rule_says() -> None:
    bits = struct.unpack(">q", struct.pack(">d", -0.1))[0]
    micros = int(MOMENT.timestamp()) * 1_000_000 + 250_000
    assert hashes(
        number=pa.array([-0.1]),
        integer=pa.array([-(2**62) - 1]),
        text=pa.array(["Zürich, 5:ä"]),
        boolean=pa.array([True]),
        moment=pa.array([MOMENT]),
    ) == [
        by_hand(
            (TEXT, "s", "Zürich, 5:ä"),
            ("boolean", "b", "true"),
            ("integer", "i", str(-(2**62) - 1)),
            ("moment", "t", str(micros)),
            ("number", "n", str(bits)),
        )
    ]


def test_the_rule_stays_as_it_is() -> None:
    """Rows of tables that were written are known by these; another rule is another version."""
    assert hashes(number=pa.array([1.5]), text=pa.array(["a"])) == [
        "ded74c2c1905099b9e402d2bc7160a0500bb064b329a24f461855497bc7027b8"
    ]


def test_a_zero_has_no_sign_and_no_number_is_null() -> None:
    zero, signed = hashes(number=pa.array([0.0, -0.0]))
    missing, null = hashes(number=pa.array([float("nan"), None]))
    assert zero == signed
    assert missing == null == by_hand()
    assert zero != null


def test_the_kind_of_source_does_not_count() -> None:
    floats = hashes(number=pa.array([0.1]))
    assert hashes(number=pa.array([Decimal("0.1")])) == floats
    assert hashes(number=pa.array([3])) == hashes(number=pa.array([3.0]))
    assert hashes(integer=pa.array([3.0])) == hashes(integer=pa.array([Decimal("3")]))
    words = pa.array(["a", None]).dictionary_encode()
    assert hashes(text=words) == hashes(text=pa.array(["a", None]))
    assert hashes(moment=pa.array(["2024-02-01T00:59:59.25+01:00"])) == hashes(
        moment=pa.array([MOMENT])
    )


def test_texts_are_told_apart_by_their_bytes() -> None:
    composed, decomposed, plain, trimmed = hashes(text=pa.array(["é", "e\u0301", "e", "e "]))
    assert len({composed, decomposed, plain, trimmed}) == 4
    assert hashes(text=pa.array([""])) != hashes(text=pa.array([None], pa.string()))


def test_no_cell_passes_for_part_of_another() -> None:
    one = pa.table({"a": ["1,1:b,s1:2"], "b": pa.nulls(1, pa.string())})
    two = pa.table({"a": ["1"], "b": ["2"]})
    swapped = pa.table({"a": ["2"], "b": ["1"]})
    assert len({cell_hashes(table)[0].as_py() for table in (one, two, swapped)}) == 3
    assert cell_hashes(pa.table({"a": ["1"]})) != cell_hashes(pa.table({"a": [1]}))


def test_neither_the_order_of_columns_nor_a_column_of_nulls_counts() -> None:
    rows = pa.table({"b": [1, 2], "a": ["x", None]})
    turned = rows.select(["a", "b"]).append_column("later", pa.nulls(2, pa.float64()))
    assert cell_hashes(rows) == cell_hashes(turned)


def test_equal_rows_are_numbered_and_none_is_lost() -> None:
    rows = conform(
        pa.table(
            {"number": [1.0, 2.0, 1.0, 1.0]} | {n: pa.nulls(4) for n in list(keyless().columns)[1:]}
        ),
        keyless(),
    ).table
    found = named(rows, keyless())
    assert found.column(ROW_NUMBER).to_pylist() == [1, 1, 2, 3]
    assert len(set(found.column(ROW_KEY).to_pylist())) == 2
    assert named(rows.slice(0, 0), keyless()).num_rows == 0
