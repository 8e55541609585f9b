"""A lease: one retraining of a use case at a time, on whatever host, by compare-and-set on a table.

The table `lease` is only added to; its newest row says who holds the lease until when. Of several
takers one appends the next row. A holder that has ended on this host is known to be gone; one on
another host is waited out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from contract.errors import Busy
from contract.store.tables import Tables
from pipelines.runtime.console import console
from pipelines.runtime.process_identity import is_gone

SCHEMA = pa.schema(
    [
        ("number", pa.int64()),  # 1, 2, ...
        ("holder", pa.string()),  # host:process id:start of the process; "" frees the lease
        ("taken", pa.timestamp("us", tz="UTC")),
        ("expires", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class Lease:
    """One row of the table."""

    number: int
    holder: str
    taken: datetime
    expires: datetime


@contextmanager
def leased(tables: Tables, holder: str, lasts: timedelta) -> Iterator[Lease]:
    """Hold the use case's lease; Busy while another holder has it."""
    own = take(tables, holder, lasts, datetime.now(UTC))
    try:
        yield own
    finally:
        if not free(tables, own, datetime.now(UTC)):
            console().print(f"  the lease ended after {lasts}; another host has taken it over")


def take(tables: Tables, holder: str, lasts: timedelta, now: datetime) -> Lease:
    """The next row, held by `holder`; Busy where somebody else has the lease or was faster."""
    head = newest(tables)
    if head and held(head, now):
        raise Busy(
            f"Another process is retraining {tables.use_case!r} (process {head.holder}, since "
            f"{head.taken:%Y-%m-%d %H:%M} UTC); nothing was done here. Its lease ends at "
            f"{head.expires:%Y-%m-%d %H:%M} UTC at the latest."
        )
    own = Lease(head.number + 1 if head else 1, holder, now, now + lasts)
    if not _append(tables, own):
        raise Busy(
            f"Another process began to retrain {tables.use_case!r} at the same moment; nothing "
            "was done here."
        )
    return own


def free(tables: Tables, own: Lease, now: datetime) -> bool:
    """Give the lease back; False where it had expired and somebody else took it."""
    return _append(tables, Lease(own.number + 1, "", now, now))


def held(lease: Lease, now: datetime) -> bool:
    """Whether somebody holds the lease."""
    return bool(lease.holder) and now < lease.expires and not is_gone(lease.holder)


def newest(tables: Tables) -> Lease | None:
    """The row that counts; None while there is none."""
    if not tables.exists("lease"):
        return None
    rows = tables.read("lease", order_by=["number"]).to_pylist()
    return Lease(**rows[-1]) if rows else None


def _append(tables: Tables, row: Lease) -> bool:
    return tables.append_next("lease", pa.Table.from_pylist([asdict(row)], SCHEMA), row.number)
