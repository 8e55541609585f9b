"""Questions to the tables `raw` and `quarantine`: which rows are known, repeated, valid."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput
from contract.names import DELIVERY, REASONS, ROW_HASH
from contract.store.rows.fingerprint import altered, row_hashes
from contract.store.rows.row_keys import own_fields
from contract.store.schema import arrow_schema
from contract.store.sql import quoted, unlike
from contract.store.tables import Tables, TableVersion
from contract.use_case.model import UseCase
from pipelines.runtime.frozen_rows import check_hashes, damaged, unharmed


def raw_schema(use_case: UseCase) -> pa.Schema:
    """Columns of `raw`: the declared ones, what names a row without keys, the row's hash and the
    number of its delivery."""
    schema = pa.schema([*arrow_schema(use_case), *own_fields(use_case)])
    return schema.append(pa.field(ROW_HASH, pa.int64())).append(pa.field(DELIVERY, pa.int64()))


def quarantine_schema(use_case: UseCase) -> pa.Schema:
    """Columns of `quarantine`: those of `raw` and the expectations that each row failed."""
    return raw_schema(use_case).append(pa.field(REASONS, pa.list_(pa.string())))


def known_rows(tables: Tables, version: int | None = None) -> pa.Table:
    """Hash and delivery of every row of `raw`."""
    return tables.read("raw", version, columns=[ROW_HASH, DELIVERY])


def last_delivery(rows: pa.Table) -> int:
    """The number of the newest delivery among rows of `raw`; 0 without any."""
    return pc.max(rows.column(DELIVERY)).as_py() or 0


def late_duplicates(tables: Tables, use_case: UseCase, version: int, after: int) -> pa.Table:
    """Hashes of rows delivered after delivery `after` whose key an earlier delivery brought.

    None without keys: a row that is the hash of its cells never comes with other cells.
    """
    if not use_case.keys:
        return pa.table({ROW_HASH: pa.array([], pa.int64())})
    same_key = " AND ".join(f"o.{quoted(k)} = n.{quoted(k)}" for k in use_case.keys)
    return tables.query(
        f"SELECT n.{ROW_HASH} FROM t n LEFT SEMI JOIN t o "  # noqa: S608, quoted names
        f"ON {same_key} AND o.{DELIVERY} < n.{DELIVERY} WHERE n.{DELIVERY} > {after}",
        t=tables.open("raw", version),
    )


def valid_as_written(
    tables: Tables, use_case: UseCase, raw: TableVersion, quarantine: TableVersion
) -> pa.Table:
    """The valid rows; Refused where `raw` or `quarantine` do not hold what was written.

    BadInput where the rows are those of other columns than the declared ones.
    """
    known: dict[str, pa.Table] = {}
    for table in (raw, quarantine):
        with unharmed(tables, table):
            hashes = [ROW_HASH, DELIVERY]
            known[table.table] = tables.read(table.table, table.version, columns=hashes)
        check_hashes(tables, table, known[table.table])
    if not np.isin(row_hashes(known["quarantine"]), row_hashes(known["raw"])).all():
        raise damaged(tables, raw)  # a row of it would not be kept out
    with unharmed(tables, raw):
        rows = valid_rows(tables, use_case, raw.version, quarantine.version)
    if not altered(rows):
        return rows
    if pa.schema(tables.open("raw", raw.version).schema().to_arrow()).names != (
        raw_schema(use_case).names
    ):
        raise BadInput(
            f"raw version {raw.version} has other columns than {use_case.name!r} declares; an "
            "ingest with the declared ones comes first."
        )
    raise damaged(tables, raw)


def valid_rows(
    tables: Tables, use_case: UseCase, raw_version: int, quarantine_version: int
) -> pa.Table:
    """Rows of `raw` that are not in quarantine, ordered by time and key.

    Where the use case says `late_duplicates: replace`, the newest valid row of a key stands.
    """
    names = ", ".join(map(quoted, [n for n in raw_schema(use_case).names if n != DELIVERY]))
    keys = ", ".join(map(quoted, use_case.row_keys))
    time = [use_case.event_time] if use_case.event_time else []
    order = ", ".join(map(quoted, [*time, *use_case.row_keys]))
    nth = quoted(unlike("nth", use_case.columns))
    inner = (
        f"SELECT t.* FROM t LEFT ANTI JOIN q "  # noqa: S608, quoted names
        f"ON t.{ROW_HASH} = q.{ROW_HASH} AND t.{DELIVERY} = q.{DELIVERY}"
    )
    if use_case.source.late_duplicates == "replace":
        inner = (
            f"SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {keys} "  # noqa: S608
            f"ORDER BY {DELIVERY} DESC) AS {nth} FROM ({inner})) WHERE {nth} = 1"
        )
    return tables.query(
        f"SELECT {names} FROM ({inner}) ORDER BY {order}",  # noqa: S608, quoted names
        t=tables.open("raw", raw_version),
        q=tables.open("quarantine", quarantine_version),
    )
