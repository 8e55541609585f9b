"""A piece reads the same parts wherever it goes, and no others when its file has changed."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from contract.errors import BadInput, Refused
from contract.store.tables import Tables
from contract.use_case.loader import parse_use_case
from contract.use_case.sections.source import BatchSource
from pipelines.scoring.pieces import PIECE_ROWS, numbered
from pipelines.scoring.places import place_of_rows
from pipelines.scoring.rows import OpenedRows, open_rows
from tests.support import batch
from tests.support.sources import write_sql

N_ROWS = 2 * PIECE_ROWS + 50_000
GROUP = 70_000  # three make a piece


def rows() -> pa.Table:
    return pa.Table.from_pandas(batch.rows(N_ROWS))


def opened(home: Path, source: str) -> OpenedRows:
    case = parse_use_case(batch.DECLARED, "orders.yaml", home)
    return open_rows(place_of_rows(source, "", case), case, Tables(str(home), "orders"), None)


def ids(batches: Sequence[pa.RecordBatch]) -> list[int]:
    found: list[int] = pa.Table.from_batches(batches)["id"].to_pylist()
    return found


@pytest.mark.parametrize("source", ["rows.parquet", "lake"])
def test_pieces_are_row_groups_and_travel(home: Path, source: str) -> None:
    if source == "lake":
        write_deltalake(home / source, rows().slice(0, N_ROWS // 2))
        write_deltalake(home / source, rows().slice(N_ROWS // 2), mode="append")
    else:
        pq.write_table(rows(), home / source, row_group_size=GROUP)
    found = opened(home, source)
    pieces = [pickle.loads(pickle.dumps(piece)) for piece in found.pieces()]
    assert len(pieces) > 1
    there = [part for piece in pieces for part in piece.parts()]
    here = list(found.parts())
    assert [(p.where, p.first, p.rows.num_rows) for p in there] == [
        (p.where, p.first, p.rows.num_rows) for p in here
    ]
    assert [p.first for p in here] == [
        sum(p.rows.num_rows for p in here[:n]) for n in range(len(here))
    ]
    assert all(one.rows.equals(other.rows) for one, other in zip(here, there, strict=True))
    assert sorted(ids([p.rows for p in there])) == list(range(N_ROWS))


def test_every_part_has_a_number_that_does_not_depend_on_who_reads_it(home: Path) -> None:
    pq.write_table(rows(), home / "rows.parquet", row_group_size=GROUP)
    pieces = list(enumerate(opened(home, "rows.parquet").pieces()))
    one_by_one = [number for number, _ in numbered(pieces)]
    assert one_by_one == [n for pair in pieces for n, _ in numbered([pair])]
    assert len(set(one_by_one)) == len(one_by_one)
    assert one_by_one[:3] == [0, 1, 2]


def test_a_file_that_is_another_by_now_is_refused(home: Path) -> None:
    pq.write_table(rows().slice(0, 30), home / "rows.parquet")
    (piece,) = opened(home, "rows.parquet").pieces()
    pq.write_table(rows().slice(0, 20), home / "rows.parquet")
    with pytest.raises(Refused, match=r"rows\.parquet changed while it was read"):
        list(piece.parts())


def test_a_damaged_file_is_named(home: Path) -> None:
    (home / "rows.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(BadInput, match=r"source: .*rows\.parquet can't be read"):
        opened(home, "rows.parquet")
    write_deltalake(home / "lake", rows().slice(0, 30))
    (file,) = (home / "lake").glob("*.parquet")
    known = pq.read_table(file)
    pq.write_table(known.set_column(0, "id", pa.array([0.5] * 30)), file)
    with pytest.raises(Refused, match=r"source: a row of .*lake@0 can't be read"):
        list(opened(home, "lake").parts())


def test_rows_of_a_query_are_the_same_whatever_their_order(home: Path) -> None:
    known = batch.rows(40).assign(moment=lambda t: t["moment"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    write_sql(known, f"sqlite:///{home}/rows.db")
    case, found = parse_use_case(batch.DECLARED, "orders.yaml", home), []
    for order in ("id", "size"):
        sql = {"url": f"sqlite:///{home}/rows.db", "query": f"SELECT * FROM rows ORDER BY {order}"}
        place = BatchSource.model_validate({"sql": sql})
        found.append(open_rows(place, case, Tables(str(home), "orders"), None))
    one, other = (ids([part.rows for part in rows.parts()]) for rows in found)
    assert (one, found[0].version) == (other, found[1].version)
    assert sorted(one) == list(range(40))


@pytest.mark.parametrize("source", ["rows.csv", "rows.jsonl"])
def test_a_file_without_row_groups_is_a_piece_that_travels(home: Path, source: str) -> None:
    known = batch.rows(40)
    known.to_csv(home / "rows.csv", index=False)
    known.to_json(home / "rows.jsonl", orient="records", lines=True, date_format="iso")
    (piece,) = opened(home, source).pieces()
    (part,) = pickle.loads(pickle.dumps(piece)).parts()
    assert ids([part.rows]) == list(range(40))
