"""Upkeep of a Delta table beside its readers and writers: small files, unused files, old log."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import FileType

from contract.names import TableName

logger = logging.getLogger(__name__)

# Commits of these kinds change no row.
OPERATIONS = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES"})

# Runs and registered versions name versions of these.
NAMED: tuple[TableName, ...] = ("raw", "quarantine", "training", "holdout", "labelled")


# Of tables that grow by small commits: commits between two check points of the log, which who opens
# the table reads all at once, a thread for each; and commits after which their files are merged.
CHECKPOINT_COMMITS = 6
MERGE_COMMITS = 50
# By default each commit looks for old entries in the whole log, which is three quarters of its work
# where there are thousands. The commit that merges files does that for those before it.
SMALL_COMMIT = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
MERGED_BYTES = 16 * 2**20  # larger files are left to `compact`: merging takes seconds at most


def properties(name: TableName) -> dict[str, str]:
    """What a table is created with: where versions are named, a log that is never cut.

    By default every hundredth commit drops entries older than 30 days, and the versions with them.
    What is kept for good holds no value of a row: no smallest and largest ones of files.
    """
    if name not in NAMED:
        return {}
    return {"delta.enableExpiredLogCleanup": "false", "delta.dataSkippingNumIndexedCols": "0"}


def properties_when_made(name: TableName) -> dict[str, str]:
    """Those, and for tables that grow by small commits check points more often than by default."""
    often = {} if name in NAMED else {"delta.checkpointInterval": str(CHECKPOINT_COMMITS)}
    return properties(name) | often


def set_properties(table: DeltaTable, name: TableName) -> None:
    """Give a table that was created without them the properties of its name."""
    wanted = properties(name)
    if not wanted.items() <= table.metadata().configuration.items():
        table.alter.set_table_properties(wanted)


@dataclass(frozen=True)
class Compaction:
    """What became of small files."""

    files_before: int
    files_after: int


def compact(table: DeltaTable) -> Compaction:
    """Write small files of a partition into large ones; the old files stay until a vacuum."""
    done = table.optimize.compact(max_concurrent_tasks=1)  # one partition in memory at a time
    return Compaction(int(done["numFilesRemoved"]), int(done["numFilesAdded"]))


def is_due(before: int, after: int) -> bool:
    """Whether who made the versions after `before` up to `after` is to merge small files.

    Each version is made by one writer, so they need not agree.
    """
    return before // MERGE_COMMITS != after // MERGE_COMMITS


def merge(table: DeltaTable) -> None:
    """Merge the small files of a table, for who reads it; it can wait and holds no writer up.

    Where another changes the same files meanwhile, or the store fails, they stay until next time.
    """
    try:
        table.optimize.compact(max_concurrent_tasks=1, target_size=MERGED_BYTES)
    except (DeltaError, OSError) as error:
        logger.info("small files of %s not merged: %s", table.table_uri, error)


def vacuum(table: DeltaTable, retention: timedelta, keep_versions: Collection[int]) -> int:
    """Delete the files that left the table longer ago than `retention`; how many there were.

    Files of the kept versions stay, whatever their age, and so does what no commit ever named: it
    may belong to a writer that is about to commit.
    """
    hours, kept = int(retention.total_seconds() // 3600), sorted(keep_versions)

    def files(dry_run: bool) -> list[str]:
        return table.vacuum(hours, dry_run, enforce_retention_duration=False, keep_versions=kept)

    # A vacuum lists a file for as long as the log remembers it, deleted or not.
    store = DeltaStorageHandler.from_table(table._table)
    infos = store.get_file_info(files(dry_run=True))
    files_there = [info for info in infos if info.type == FileType.File]
    if files_there:
        files(dry_run=False)
    return len(files_there)


def whole(table: DeltaTable) -> bool:
    """Whether all files of a table's version are there: a vacuum may have deleted old ones."""
    paths = pa.table(table.get_add_actions()).column("path").to_pylist()
    if not paths:
        return True
    infos = DeltaStorageHandler.from_table(table._table).get_file_info(paths)
    return all(info.type == FileType.File for info in infos)


def forget_log(table: DeltaTable) -> None:
    """Drop entries of the log older than the table's retention (30 days), behind a check point.

    Only for tables whose old versions nobody names: not for NAMED.
    """
    table.create_checkpoint()
    table.cleanup_metadata()
