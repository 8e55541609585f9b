import time
from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import Unavailable
from pipelines.scoring.staging import LEFT_AFTER_MS, Staged, beside, drop, new_file, rows_of, swept

ROWS = pa.table({"x": [1, 2, 3]})
NOW = int(time.time() * 1000)


def write(address: str, rows: pa.Table = ROWS) -> None:
    with new_file(address, rows.schema) as writer:
        writer.write_table(rows)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_there_whole_and_once(tmp_path: Path) -> None:
    address = f"{beside(f'{tmp_path}/answers.parquet', 'job', 7)}/000001.parquet"
    write(address, ROWS.slice(1))
    write(address)
    assert pa.concat_tables(rows_of(address)).equals(ROWS)
    with pytest.raises(ZeroDivisionError), new_file(f"{address}.other", ROWS.schema) as writer:
        writer.write_table(ROWS)
        raise ZeroDivisionError
    assert names(tmp_path) == [".answers.parquet.pieces/job-7/000001.parquet"]


def test_a_file_takes_rows_of_others_which_are_dropped_then(tmp_path: Path) -> None:
    one, both = f"{tmp_path}/one.parquet", f"{tmp_path}/both.parquet"
    write(one)
    with new_file(both, ROWS.schema) as writer:
        into = Staged(writer)
        into.write(ROWS.slice(1))
        into.take(one)
    drop(one)
    assert pa.concat_tables(rows_of(both)).equals(pa.concat_tables([ROWS.slice(1), ROWS]))
    assert names(tmp_path) == ["both.parquet"]


def test_where_it_can_t_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / ".answers.pieces").touch()  # no folder
    with pytest.raises(Unavailable, match=r"000001\.parquet can't be written: "):
        write(f"{beside(f'{tmp_path}/answers', 'job', 7)}/000001.parquet")


def test_what_is_only_on_another_machine_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="a target on storage that all of them reach"):
        list(rows_of(f"{tmp_path}/000001.parquet"))


def test_a_run_is_swept_with_what_was_left_long_ago_and_nothing_else(tmp_path: Path) -> None:
    target = f"{tmp_path}/answers"
    run, other = beside(target, "job", NOW), beside(target, "other", NOW)
    write(f"{run}/left.parquet")
    write(f"{other}/of_another_host.parquet")
    write(f"{beside(target, 'old', NOW - LEFT_AFTER_MS - 1)}/left.parquet")
    with pytest.raises(KeyboardInterrupt), swept(run):
        assert names(tmp_path) == [f".answers.pieces/other-{NOW}/of_another_host.parquet"]
        write(f"{run}/half.parquet")
        raise KeyboardInterrupt
    assert names(tmp_path) == [f".answers.pieces/other-{NOW}/of_another_host.parquet"]
    with swept(other):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_is_a_target_as_a_whole_holds_them() -> None:
    assert beside("s3://bucket", "job", 7) == "s3://bucket/.pieces/job-7"
    assert beside("s3://bucket/a/", "job", 7) == "s3://bucket/.a.pieces/job-7"
