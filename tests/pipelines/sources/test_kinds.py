"""Every kind of source gives what was written, whatever its file or database looks like."""

import bz2
import gzip
import json
import pickle
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from sqlalchemy import create_engine, text

from contract.errors import BadInput, Unavailable
from contract.store.schema import conform
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from pipelines.sources.newer import Newer
from pipelines.sources.registry import read_source
from tests.support.sources import reading

BIG = 2**60 + 1
DECLARED = {
    "id": Column(type="integer"),
    "zip": Column(type="string", nullable=True),
    "size": Column(type="number", nullable=True),
    "late": Column(type="boolean", nullable=True),
    "moment": Column(type="timestamp"),
}
MOMENT = datetime(2024, 3, 1, 12, tzinfo=UTC)
ROWS: list[dict[str, Any]] = [
    {"id": BIG, "zip": "02134", "size": 1.5, "late": True, "moment": MOMENT},
    {"id": 2, "zip": None, "size": None, "late": None, "moment": MOMENT},
    {"id": 3, "zip": "ü\n,'\"", "size": -7.25, "late": False, "moment": MOMENT},
]
TABLE = pa.Table.from_pylist(
    ROWS,
    pa.schema(
        {
            "id": pa.int64(),
            "zip": pa.string(),
            "size": pa.float64(),
            "late": pa.bool_(),
            "moment": pa.timestamp("us", "UTC"),
        }
    ),
)
PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", bytes),
    "gzip": (".gz", gzip.compress),
    "two gzips": (".gz", lambda b: gzip.compress(b[:20]) + gzip.compress(b[20:])),
    "gzip without its ending": ("", gzip.compress),
    "zstd": (".zst", lambda b: pa.Codec("zstd").compress(b, asbytes=True)),
    "bzip2": (".bz2", bz2.compress),
}


def declared(home: Path, columns: dict[str, Column] = DECLARED, **source: Any) -> UseCase:
    return reading(home, **source).model_copy(update={"columns": columns})


def of_file(home: Path, kind: str, name: str) -> UseCase:
    source: dict[str, Any] = {kind: str(home / name)}
    return declared(home, **source)


def rows_of(use_case: UseCase) -> list[dict[str, Any]]:
    conformed = conform(read_source(use_case), use_case)
    assert conformed.complete, (conformed.missing, conformed.retyped)
    rows: list[dict[str, Any]] = conformed.table.sort_by([("id", "descending")]).to_pylist()
    return rows


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -row["id"])


def as_csv(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(rows, sink)
    return bytes(sink.getvalue())


def as_json(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, default=datetime.isoformat).encode() + b"\n" for row in rows)


# Files


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_packed_file_is_unpacked(home: Path, kind: str, packing: str) -> None:
    ending, pack = PACKED[packing]
    content = as_csv(TABLE) if kind == "csv" else as_json(ROWS)
    (home / f"rows.{kind}{ending}").write_bytes(pack(content))
    assert rows_of(of_file(home, kind, f"rows.{kind}{ending}")) == by_id(ROWS)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_packed_file_that_is_cut_off_is_no_shorter_table(home: Path, kind: str) -> None:
    content = (as_csv(TABLE) if kind == "csv" else as_json(ROWS)) * 1000
    packed = gzip.compress(content)
    (home / "rows.gz").write_bytes(packed[: len(packed) - 9])
    with pytest.raises(BadInput, match=r"can't be read: Truncated"):
        read_source(of_file(home, kind, "rows.gz"))


def test_folders_say_values_that_stay_as_declared(home: Path) -> None:
    columns = DECLARED | {"day": Column(type="timestamp"), "n": Column(type="integer")}
    for at, zip_code in enumerate(["02134", "__HIVE_DEFAULT_PARTITION__", "a%2Fb"]):
        folder = home / "rows" / f"zip={zip_code}" / f"day=2024-03-0{at + 1}" / "n=007"
        folder.mkdir(parents=True)
        pq.write_table(TABLE.slice(at, 1).drop_columns(["zip"]), folder / "part.parquet")
    (home / "rows" / "_SUCCESS").touch()
    (home / "rows" / "zip=02134" / ".part.parquet.crc").write_bytes(b"x")
    found = rows_of(declared(home, columns, parquet=str(home / "rows")))
    expected = [
        row | {"zip": said, "day": datetime(2024, 3, at + 1, tzinfo=UTC), "n": 7}
        for at, (row, said) in enumerate(zip(ROWS, ["02134", None, "a/b"], strict=True))
    ]
    assert found == by_id(expected)


@pytest.mark.parametrize(
    ("address", "ids"),
    [
        ("rows", [3, 2, 1]),
        ("rows/*.csv", [1]),
        ("rows/**/*.csv*", [3, 2, 1]),
        ("rows/?.csv", [1]),
        ("rows/[a-c]/*", [2]),
        ("rows/[!a-c]/**", [3]),
        ("rows/b/b.csv.gz", [2]),
    ],
)
def test_a_glob_names_files(home: Path, address: str, ids: list[int]) -> None:
    (home / "rows/b").mkdir(parents=True)
    (home / "rows/z").mkdir()
    (home / "rows/1.csv").write_bytes(b"id\n1\n")
    (home / "rows/b/b.csv.gz").write_bytes(gzip.compress(b"id\n2\n"))
    (home / "rows/z/c.csv").write_bytes(b"id\n3\n")
    (home / "rows/notes.md").write_bytes(b"none")
    columns = {"id": Column(type="integer")}
    use_case = declared(home, columns, csv=str(home / address))
    assert [row["id"] for row in rows_of(use_case)] == ids


def test_files_whose_columns_differ_are_one_table_of_the_declared_types(home: Path) -> None:
    (home / "rows").mkdir()
    parts = [
        pa.table({"id": pa.array([BIG], pa.int64()), "size": pa.array([1], pa.int32())}),
        pa.table({"id": pa.array([2], pa.int16()), "zip": ["007"], "size": pa.array([2.5])}),
        pa.table({"size": pa.nulls(1), "other": [[1]], "id": pa.array([1.0])}),
    ]
    for at, part in enumerate(parts):
        pq.write_table(part, home / "rows" / f"{at}.parquet")
    columns = {name: DECLARED[name] for name in ("id", "zip", "size")}
    assert rows_of(declared(home, columns, parquet=str(home / "rows"))) == [
        {"id": BIG, "zip": None, "size": 1.0},
        {"id": 2, "zip": "007", "size": 2.5},
        {"id": 1, "zip": None, "size": None},
    ]


def test_a_folder_says_what_its_files_may_say_too_and_what_is_older(home: Path) -> None:
    columns = {"id": Column(type="integer"), "late": Column(type="boolean")}
    for folder, content in (
        ("late=true/day=1", "id\n1\n"),
        ("late=false/day=2", "id,late\n2,true\n"),
    ):
        (home / "days" / folder).mkdir(parents=True)
        (home / "days" / folder / "rows.csv").write_text(content)
    use_case = declared(home, columns, csv=f"{home}/days", since="day")
    rows = read_source(use_case)
    assert rows.select(["id", "late"]).to_pylist() == [
        {"id": 2, "late": True},
        {"id": 1, "late": True},
    ]
    assert read_source(use_case, Newer("day", "2")).column("id").to_pylist() == [2]
    nothing = read_source(use_case, Newer("day", "3"))
    assert (nothing.num_rows, nothing.column_names) == (0, ["id", "late"])


def test_a_cell_that_can_t_be_read_is_named_with_its_file(home: Path) -> None:
    columns = {"id": Column(type="integer"), "size": Column(type="number")}
    (home / "days").mkdir()
    for name, size in (("a", "1"), ("b", "wide")):
        (home / "days" / f"{name}.csv").write_text(f"id,size\n1,{size}\n")
    use_case = declared(home, columns, csv=f"{home}/days")
    retyped = conform(read_source(use_case), use_case).retyped
    assert retyped == {"size": f"{home}/days/b.csv, line 2: number expected, found text"}


def test_files_that_mean_different_things_are_named(home: Path) -> None:
    (home / "rows").mkdir()
    pq.write_table(pa.table({"id": [1]}), home / "rows/a.parquet")
    pq.write_table(pa.table({"id": ["one"]}), home / "rows/b.parquet")
    said = r"column 'id' is int64 in \S+a.parquet and string in \S+b.parquet; write it alike"
    with pytest.raises(BadInput, match=said):
        read_source(declared(home, parquet=str(home / "rows")))
    pq.write_table(pa.table({"id": pa.array([2**64 - 1], pa.uint64())}), home / "rows/b.parquet")
    with pytest.raises(BadInput, match=r"column 'id' of \S+b.parquet: .* beyond 64 bits"):
        read_source(declared(home, parquet=str(home / "rows")))


@pytest.mark.parametrize("said", ["0x10", "inf", "nan", "1_0"])
def test_a_folder_says_a_number_as_a_cell_does(home: Path, said: str) -> None:
    (home / "rows" / f"size={said}").mkdir(parents=True)
    pq.write_table(TABLE.drop_columns(["size"]), home / "rows" / f"size={said}" / "a.parquet")
    with pytest.raises(BadInput, match=f"The folder size={said} .* of the declared type number"):
        read_source(declared(home, parquet=str(home / "rows")))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.xlsx", b"PK\3\4", "an Excel file .* save the sheet as CSV"),
        ("rows.csv", b"PK\3\4 and so on", "an Excel file or another archive"),
        ("rows.csv", b"\xd0\xcf\x11\xe0 and so on", "save the sheet as CSV"),
        ("rows.pkl", pickle.dumps([1]), "a pickle .* runs code .* as Parquet"),
        ("rows.csv", pickle.dumps([1]), "a pickle .* runs code"),
        ("rows.zip", b"PK\3\4", "unpack it"),
        ("other.csv", b"", "no file or folder .*rows.csv|is empty"),
    ],
)
def test_what_is_no_table_is_refused_by_what_it_is(
    home: Path, name: str, content: bytes, said: str
) -> None:
    (home / name).write_bytes(content)
    asked = name if name.startswith("rows") else "rows.csv"
    with pytest.raises(BadInput, match=said):
        read_source(declared(home, csv=str(home / asked)))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"parquet": "{home}/empty"}, "no .parquet or .parq or .pq file in the folder"),
        ({"csv": "{home}/none/*.csv"}, "no file is named like"),
        ({"csv": "{home}/[z-a]*.csv"}, "is no glob: what stands in brackets"),
        ({"json": "gs://bucket/a.jsonl"}, "a path or an s3:// address is needed"),
        ({"parquet": "{home}/delta"}, "is a Delta table"),
        ({"delta": {"path": "{home}/delta", "version": 7}}, "no version 7; newest: 0"),
        ({"parquet": "{home}/text.parquet"}, "text.parquet can't be read"),
    ],
)
def test_what_is_not_there_is_said(home: Path, source: dict[str, Any], said: str) -> None:
    write_deltalake(str(home / "delta"), TABLE)
    (home / "text.parquet").write_text("none")
    (home / "empty").mkdir()
    placed = json.loads(json.dumps(source).replace("{home}", str(home)))
    with pytest.raises(BadInput, match=said):
        read_source(declared(home, **placed))


# Delta and lines of JSON hold a name once.
@pytest.mark.parametrize("kind", ["csv", "parquet", "sql", "python"])
def test_two_columns_of_one_name_are_refused_where_they_are_wanted(home: Path, kind: str) -> None:
    twice = pa.table([[1], [2], [3], [4]], names=["id", "v", "id", "v"])
    if kind == "parquet":
        pq.write_table(twice, home / "rows.parquet")
    (home / "rows.csv").write_text("id,v,id,v\n1,2,3,4\n")
    (home / "load.py").write_text(
        "import pandas as pd\n"
        "def load():\n    return pd.DataFrame([[1, 2, 3, 4]], columns=['id', 'v', 'id', 'v'])\n"
    )
    source: dict[str, Any] = {
        "csv": {"csv": str(home / "rows.csv")},
        "parquet": {"parquet": str(home / "rows.parquet")},
        "sql": {"sql": {"url": "sqlite://", "query": "select 1 as id, 2 as v, 3 as id, 4 as v"}},
        "python": {"python": "load:load"},
    }
    with pytest.raises(BadInput, match=rf"source.{kind}\b.*.id' and '(id|ID)' are one name"):
        read_source(declared(home, {"id": Column(type="integer")}, **source[kind]))
    with pytest.raises(BadInput, match=rf"source.{kind}\b.*.v' and 'v' are one name"):
        read_source(declared(home, {"v": Column(type="integer")}, **source[kind]))


# Lines of JSON


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b'{"id": 1}\n{"id": "2"}\n', "column 'id' mixes .* an integer first, text in row 2"),
        (b'{"id": 1}\n{"id": 9223372036854775808}\n', "beyond 64 bits in row 2"),
        (b'{"id": 1}\n\n{"id": }\n', "line 3: one JSON object"),
        (b'[{"id": 1}]\n', "line 1: one JSON object"),
        (b'{"id": NaN}\n', "line 1: .* finite numbers"),
        (b'{"id": "\\ud800"}\n', "line 1: one JSON object in UTF-8"),
        (b'{"id": [1]}\n', "of kind list in row 1"),
        ('{"id": 1}'.encode("utf-16"), "line 1: .*UTF-8"),
        (b'{"id": 1}\n{"zip": "a", "zip" : 1}\n', "line 2: the member 'zip' stands twice"),
        (b'{"id": 1, "more": ' + b"[" * 9000 + b"]" * 9000 + b"}", "line 1: one JSON object"),
    ],
)
def test_a_line_that_is_no_row_is_named(home: Path, lines: bytes, said: str) -> None:
    (home / "rows.jsonl").write_bytes(lines)
    with pytest.raises(BadInput, match=said):
        read_source(declared(home, json=str(home / "rows.jsonl")))


def test_a_member_that_no_line_has_is_a_missing_column(home: Path) -> None:
    lines = b'\xef\xbb\xbf{"id": 1, "more": {"id": [], "b": "\\":"}}\n{"zip": null}\n'
    (home / "rows.jsonl").write_bytes(lines)
    assert read_source(declared(home, json=str(home / "rows.jsonl"))).to_pydict() == {
        "id": [1, None],
        "zip": [None, None],
    }


# Databases


def test_sqlite_is_read_exactly_and_never_made(home: Path) -> None:
    with sqlite3.connect(home / "shop.db") as database:
        database.execute("create table t (id, zip, size, late, moment, picture blob)")
        database.executemany(
            "insert into t values (?, ?, ?, ?, ?, x'00')",
            [[v.isoformat() if v is MOMENT else v for v in row.values()] for row in ROWS],
        )
    database.close()
    sql = {"url": "sqlite:///shop.db", "query": "select *, ':x' as colon from t -- 100 %\n;"}
    assert rows_of(declared(home, sql=sql)) == by_id(ROWS)
    for url, said in (("sqlite:///none.db", "no SQLite file at"), ("sqlite:///made", "not a data")):
        (home / "made").write_text("no database, but some text of a hundred letters " * 9)
        with pytest.raises(BadInput, match=said):
            read_source(declared(home, sql=sql | {"url": url}))
    assert not (home / "none.db").exists()
    with pytest.raises(BadInput, match="readonly"):
        read_source(declared(home, sql=sql | {"query": "delete from t returning id"}))
    for query in ("vacuum into 'taken.db'", "attach 'taken.db' as taken"):
        with pytest.raises(BadInput, match=r"source.sql.query failed: .*authoriz"):
            read_source(declared(home, sql=sql | {"query": query}))
    assert not (home / "taken.db").exists()


def test_a_wanted_blob_is_refused_by_name(home: Path) -> None:
    sql = {"url": "sqlite://", "query": "select 1 as id, x'00' as zip"}
    with pytest.raises(BadInput, match="column 'zip' holds a value of kind bytes in row 1"):
        read_source(declared(home, sql=sql))


def test_text_that_is_no_unicode_is_said_without_it(home: Path) -> None:
    sql = {"url": "sqlite://", "query": "select 1 as id, cast(x'c0ff656565' as text) as zip"}
    with pytest.raises(BadInput, match="decode to UTF-8 column 'zip'") as found:
        read_source(declared(home, sql=sql))
    assert "eee" not in str(found.value)


def test_an_answer_without_rows_has_its_columns(home: Path) -> None:
    sql = {"url": "sqlite://", "query": "select 1 as id, 2 as zip where false"}
    assert read_source(declared(home, sql=sql)).to_pydict() == {"id": [], "zip": []}


def fill(url: str) -> None:
    """A table t in a database, as it writes the types."""
    engine = create_engine(url)
    types = {"postgresql": ("timestamptz", "double precision")}
    time, number = types.get(engine.dialect.name, ("timestamp", "double"))
    with engine.begin() as connection:
        connection.execute(text("drop table if exists t"))
        connection.execute(
            text(
                f"create table t (id bigint, zip varchar(20), size {number}, late boolean, "
                f"moment {time}, price decimal(20, 4), n int)"
            )
        )
        insert = text("insert into t values (:id, :zip, :size, :late, :moment, :price, :id % 10)")
        connection.execute(insert, [row | {"price": Decimal("0.1")} for row in ROWS])
    engine.dispose()


def test_postgresql_gives_exact_values(home: Path, postgresql: str) -> None:
    fill(postgresql)
    columns = DECLARED | {"price": Column(type="number"), "total": Column(type="integer")}
    query = "select *, sum(id) over (partition by id) as total, 1::text from t where zip is null"
    sql = {"url": postgresql, "query": query}
    assert rows_of(declared(home, columns, sql=sql)) == [ROWS[1] | {"price": 0.1, "total": 2}]
    sql = {"url": postgresql, "query": "select * from t"}
    assert rows_of(declared(home, sql=sql)) == by_id(ROWS)
    since = declared(home, sql=sql, since="zip")
    assert read_source(since).num_rows == 3


def test_mysql_gives_exact_values(home: Path, mysql: str) -> None:
    fill(mysql)
    assert rows_of(declared(home, sql={"url": mysql, "query": "select * from t"})) == by_id(ROWS)
    with pytest.raises(BadInput, match=r"MySQLdb is not installed; write mysql\+pymysql://"):
        read_source(declared(home, sql={"url": mysql.replace("+pymysql", ""), "query": "select 1"}))


def test_a_duckdb_file_is_read_only(home: Path) -> None:
    with duckdb.connect(str(home / "shop.duckdb")) as database:
        database.register("given", TABLE)
        database.execute("create table t as select * from given")
    sql = {"url": "duckdb:///shop.duckdb", "query": "select * from t;"}
    assert rows_of(declared(home, sql=sql)) == by_id(ROWS)
    wrong = {
        "drop table t": "only SELECT, and SET before it, are run; found DROP",
        "copy t to 'taken.csv'": "found COPY",
        "select 1; copy t to 'taken.csv'": "found COPY",
        "export database 'taken'": "found EXPORT",
        "select nothing": "nothing",
    }
    for query, said in wrong.items():
        with pytest.raises(BadInput, match=said):
            read_source(declared(home, sql=sql | {"query": query}))
    assert [path.name for path in home.glob("taken*")] == []
    moved = "set threads = 1; from t"
    assert rows_of(declared(home, sql=sql | {"query": moved})) == by_id(ROWS)
    with pytest.raises(BadInput, match="no DuckDB file at"):
        read_source(declared(home, sql=sql | {"url": "duckdb:///none.duckdb"}))


def test_what_is_no_duckdb_file_and_a_missing_package_are_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = {"url": "duckdb:///shop.duckdb", "query": "-- select * from t"}
    (home / "shop.duckdb").write_text("id,zip\n" * 1000)
    with pytest.raises(Unavailable, match=r"can't be opened now: .*not a valid DuckDB"):
        read_source(declared(home, sql=sql))
    (home / "shop.duckdb").unlink()
    duckdb.connect(str(home / "shop.duckdb")).close()
    with pytest.raises(BadInput, match="a query is needed that answers rows"):
        read_source(declared(home, sql=sql))
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(BadInput, match=r"not installed: pip install 'fourcycle\[sources\]'"):
        read_source(declared(home, sql=sql))


@pytest.mark.parametrize(
    ("cast", "said"),
    [
        ("'4711 Smith'::int", "string '…' to INT32|for type integer: '…'"),
        ("'47112'::smallint", "string '…' to INT16|value '…' is out of range for type smallint"),
    ],
)
def test_a_value_that_a_query_can_t_read_is_not_repeated(
    home: Path, postgresql: str, cast: str, said: str
) -> None:
    duckdb.connect(f"{home}/empty.duckdb").close()
    for url in (postgresql, f"duckdb:///{home}/empty.duckdb"):
        source = {"url": url, "query": f"SELECT 1 AS id, {cast} AS size"}
        with pytest.raises(BadInput, match=f"source.sql.query failed: .*({said})") as refused:
            read_source(declared(home, sql=source))
        assert not re.search("4711|Smith", str(refused.value))


def test_an_enum_of_duckdb_is_compared_as_text(home: Path) -> None:
    with duckdb.connect(f"{home}/shop.duckdb") as database:
        database.execute("create type e as enum ('a', 'c', 'b'); create table t (id int, zip e)")
        database.execute("insert into t values (1, 'a'), (2, 'b'), (3, 'c'), (4, null)")
    source = {"url": f"duckdb:///{home}/shop.duckdb", "query": "SELECT * FROM t"}
    rows = read_source(declared(home, sql=source, since="zip"), Newer("zip", "b"))
    assert rows.column("id").to_pylist() == [2, 3, 4]


def test_a_query_may_end_in_a_comment(home: Path) -> None:
    duckdb.connect(f"{home}/empty.duckdb").close()
    with closing(sqlite3.connect(home / "empty.db")):
        pass
    for url in (f"sqlite:///{home}/empty.db", f"duckdb:///{home}/empty.duckdb"):
        for end in ("-- all of them", ";", ";\n-- all of them\n-- and more", "; -- all"):
            source = {"url": url, "query": f"SELECT 1 AS id, '; --' AS zip {end}"}
            use_case = declared(home, sql=source, since="id")
            for newer in (None, Newer("id", 1)):
                assert read_source(use_case, newer).to_pylist() == [{"id": 1, "zip": "; --"}]


def test_a_missing_driver_is_named_with_what_to_install(home: Path) -> None:
    for url, said in (
        ("oracle+oracledb://a@b/c", "needs the Python package oracledb.*pip install oracledb"),
        ("postgresql+psycopg2://a@b/c", r"psycopg2 is not installed; write postgresql\+psycopg://"),
        ("cassandra://x", "no address SQLAlchemy can open|cassandra"),
        ("rows.db", "no address of a database, such as"),
    ):
        with pytest.raises(BadInput, match=said):
            read_source(declared(home, sql={"url": url, "query": "select 1"}))


# S3


def test_files_in_s3_are_read_by_the_settings_of_delta(home: Path, s3: str) -> None:
    from pipelines.sources.files import place_of

    filesystem, path = place_of(f"{s3}/rows", "source.parquet")
    for at in range(3):
        with filesystem.open_output_stream(f"{path}/n=00{at}/part.parquet") as stream:
            pq.write_table(TABLE.slice(at, 1), stream)
    columns = DECLARED | {"n": Column(type="string")}
    expected = by_id([row | {"n": f"00{at}"} for at, row in enumerate(ROWS)])
    for address in (f"{s3}/rows", f"{s3}/rows/", f"{s3}/rows/*/*.parquet"):
        assert rows_of(declared(home, columns, parquet=address)) == expected
    with pytest.raises(BadInput, match="no file or folder"):
        read_source(declared(home, parquet=f"{s3}/none"))


def test_a_store_that_does_not_answer_is_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    with pytest.raises(Unavailable, match="does not answer"):
        read_source(declared(home, csv="s3://bucket/rows.csv"))
