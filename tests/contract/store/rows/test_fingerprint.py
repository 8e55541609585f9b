import pyarrow as pa

from contract.store.rows.fingerprint import content_hash, row_hashes

ROWS = pa.table(
    {
        "whole": pa.array([1, 0, None, 2**60 + 1], pa.int64()),
        "share": pa.array([0.5, 0.0, None, -1.0], pa.float64()),
        "late": pa.array([True, False, None, True]),
        "text": pa.array(["a", "", None, "0"]),
        "moment": pa.array([0, 1, None, 5], pa.timestamp("us", tz="UTC")),
    }
)
WRITTEN = [7324476374269444670, -3329611974954364474, 4429103359604964742, 8172527234591348828]


def test_a_row_s_hash_does_not_depend_on_its_company() -> None:
    together = row_hashes(ROWS)
    alone = [row_hashes(ROWS.slice(i, 1))[0] for i in range(ROWS.num_rows)]
    assert together.tolist() == alone
    assert len(set(alone)) == ROWS.num_rows


def test_null_is_no_value() -> None:
    for name in ROWS.column_names:
        hashes = row_hashes(ROWS.select([name]))
        assert len(set(hashes.tolist())) == len(set(ROWS.column(name).to_pylist()))


def test_the_order_of_rows_does_not_count_and_a_repeated_row_does() -> None:
    hashes = row_hashes(ROWS)
    assert content_hash(hashes[::-1]) == content_hash(hashes)
    assert content_hash(hashes.repeat(2)) != content_hash(hashes)
    assert row_hashes(ROWS.slice(0, 0)).size == 0


def test_a_zero_has_no_sign_and_other_rows_keep_the_hash_they_had() -> None:
    zeros = pa.table({"size": [0.0, -0.0], "weight": pa.array([-0.0, 0.0], pa.float32())})
    assert len(set(row_hashes(zeros).tolist())) == 1
    assert row_hashes(ROWS).tolist() == WRITTEN
