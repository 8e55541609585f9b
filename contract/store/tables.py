"""The tables of a use case: the only place that opens, appends to and reads Delta.

`<root>/<use case>/<table>` is a Delta table; root is a folder or an `s3://` address. A version
number names the same rows forever, which is what a run records as its data version.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from contract.addresses import storage_options
from contract.errors import BadInput, Refused
from contract.names import TableName
from contract.store import sql as engine
from contract.store import upkeep
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.sql import quoted

CONTENT_HASH = "content_hash"
# Of a commit to `raw`: the number of its delivery, and yes where the source brought it.
BROUGHT, COLLECTED = "delivery", "collected"
RECENT = 4  # commits that are looked at first; upkeep makes three at a time
UNSUPPORTED = "Unsupported"  # how deltalake says that a table has a feature which it does not know


@dataclass(frozen=True)
class TableVersion:
    """The rows of one table at one moment."""

    table: TableName
    version: int
    rows: int
    content_hash: str


@dataclass(frozen=True)
class Tables:
    """All tables of one use case under one root."""

    root: str
    use_case: str

    def uri(self, name: TableName) -> str:
        """Address of a table."""
        return f"{self.root}/{self.use_case}/{name}"

    @property
    def options(self) -> dict[str, str] | None:
        """Options of the object store for deltalake; None for a folder."""
        return storage_options(self.root)

    def exists(self, name: TableName) -> bool:
        """Whether the table has been created."""
        return bool(DeltaTable.is_deltatable(self.uri(name), self.options))

    def open(self, name: TableName, version: int | None = None) -> DeltaTable:
        """The table at a version (newest: None); BadInput where there is none, Refused where it
        needs a newer release."""
        try:
            return DeltaTable(self.uri(name), version=version, storage_options=self.options)
        except TableNotFoundError as error:
            if version is not None and self.exists(name):
                raise self._no_version(name, version) from error
            raise BadInput(
                f"No table {name!r} of {self.use_case!r} under {self.root}; "
                "an ingest, or the run that wrote it, comes first."
            ) from error
        except Exception as error:  # deltalake answers a version that is not there in several types
            self._refuse_newer(name, error)
            if version is None or "version" not in str(error).lower():
                raise
            raise self._no_version(name, version) from error

    def _refuse_newer(self, name: TableName, error: Exception) -> None:
        """Refused where the error is that a table needs a newer release."""
        if UNSUPPORTED in str(error):
            raise Refused(
                f"Table {name!r} of {self.use_case!r} was written by a newer release, and only "
                f"that one or a later one reads it ({error})."
            ) from error

    def _no_version(self, name: TableName, version: int) -> BadInput:
        newest = self.open(name).version()
        return BadInput(
            f"Table {name!r} of {self.use_case!r} has no version {version}; newest: {newest}."
        )

    def version(self, name: TableName) -> int:
        """Newest version that changed rows; upkeep makes versions that do not.

        Where the log remembers nothing but upkeep, the oldest version: it has the same rows.
        """
        few, whole = RECENT, False
        while not whole:  # the whole history reads every entry of the log
            history = self.history(name, few)
            changes = (e for e in history if e.get("operation") not in upkeep.OPERATIONS)
            if change := next(changes, None):
                return int(str(change["version"]))
            few, whole = few * RECENT, len(history) < few
        return int(str(history[-1]["version"]))

    def schema(self, name: TableName) -> pa.Schema:
        """Columns and types of the newest version; BadInput where there is no table."""
        return engine.plain_schema(pa.schema(self.open(name).schema().to_arrow()))

    def create(self, name: TableName, schema: pa.Schema, partition_by: Sequence[str] = ()) -> None:
        """Create an empty table unless it is there; Refused where that needs a newer release."""
        try:
            DeltaTable.create(
                self.uri(name),
                schema=schema,
                mode="ignore",
                partition_by=list(partition_by),
                name=name,
                configuration=upkeep.properties_when_made(name),
                storage_options=self.options,
            )
        except DeltaError as error:
            self._refuse_newer(name, error)
            raise

    def intake(self, name: TableName) -> ExactlyOnceWriter:
        """The table opened once, for an append that happens exactly once; BadInput where there is
        none."""
        return ExactlyOnceWriter(self.open(name))

    def append(self, name: TableName, rows: pa.Table, **metadata: str) -> int:
        """Add rows in one commit; the new version number. Creates the table where needed."""
        self.create(name, rows.schema)
        table = self.open(name)
        write_deltalake(table, rows, mode="append", commit_properties=_properties(metadata))
        return int(table.version())

    def append_next(self, name: TableName, rows: pa.Table, number: int) -> bool:
        """Add rows as commit `number` of an append-only table; False: another was first.

        Their column `number` holds that number. Compare and set without a lock, on a folder as on
        S3: of several writers of one number Delta accepts one, and the object that wrote is the one
        that was looked at. A commit that is reported as failed may have been made all the same, so
        what decides in the end is whose rows stand there.
        """
        appendable = {"delta.appendOnly": "true"} | upkeep.properties_when_made(name)
        DeltaTable.create(
            self.uri(name),
            schema=rows.schema,
            mode="ignore",
            name=name,
            configuration=appendable,
            storage_options=self.options,
        )
        table = self.open(name)
        if (table.transaction_version(name) or 0) != number - 1:
            return self._holds(name, rows, number)
        properties = CommitProperties(app_transactions=[Transaction(name, number)])
        before = table.version()
        held = pa.schema(table.schema().to_arrow()).names
        try:
            write_deltalake(
                table,
                rows,
                mode="append",
                # A table of an older format lacks columns.
                schema_mode=None if set(rows.schema.names) <= set(held) else "merge",
                commit_properties=properties,
                post_commithook_properties=upkeep.SMALL_COMMIT,
            )
        except CommitFailedError:
            return self._holds(name, rows, number)
        if upkeep.is_due(before, table.version()):
            upkeep.merge(table)
        return True

    def _holds(self, name: TableName, rows: pa.Table, number: int) -> bool:
        standing = self.read(name, where=f"number = {number}")
        if not set(rows.schema.names) <= set(standing.schema.names):
            return False  # an older Fourcycle wrote it
        return bool(standing.select(rows.schema.names).to_pylist() == rows.to_pylist())

    def overwrite(
        self,
        name: TableName,
        rows: pa.Table | pa.RecordBatchReader,
        where: str | None = None,
        **metadata: str,
    ) -> int:
        """Replace all rows, or those that match the predicate `where`, in one commit.

        The new version number. Without `where` the columns may change too. Creates the table where
        needed.
        """
        self.create(name, rows.schema)
        table = self.open(name)
        write_deltalake(
            table,
            rows,
            mode="overwrite",
            predicate=where,
            schema_mode=None if where else "overwrite",
            commit_properties=_properties(metadata),
        )
        return int(table.version())

    def publish(self, name: TableName, rows: pa.Table, content_hash: str) -> TableVersion:
        """Make `rows` the table's content; the same content as now makes no new version.

        It does where a file of the version is gone.
        """
        if self.exists(name):
            now = TableVersion(name, self.version(name), rows.num_rows, content_hash)
            if self.intact(now):
                return now
        version = self.overwrite(name, rows, **{CONTENT_HASH: content_hash})
        return TableVersion(name, version, rows.num_rows, content_hash)

    def delete(self, name: TableName, where: str, **metadata: str) -> int:
        """Take the rows that match `where` out in one commit; the new version number.

        Older versions still show them. deltalake's CommitFailedError where another writer adds
        rows that may match meanwhile.
        """
        table = self.open(name)
        table.delete(where, commit_properties=_properties(metadata))
        return int(table.version())

    def delete_matching(self, name: TableName, rows: pa.Table, on: str) -> int:
        """Take rows `t` out in one commit that match one of these rows `s`; how many."""
        merge = self.open(name).merge(rows, on, source_alias="s", target_alias="t")
        return int(merge.when_matched_delete().execute()["num_target_rows_deleted"])

    def restore(self, name: TableName, version: int) -> int:
        """Make an older version's rows the newest again; the new version number."""
        properties = _properties({CONTENT_HASH: self.metadata(name, version).get(CONTENT_HASH, "")})
        table = self.open(name)
        table.restore(version, commit_properties=properties)
        return int(table.version())

    def metadata(self, name: TableName, version: int | None = None) -> dict[str, str]:
        """The texts that the commit of a version (newest: None) carries, its content hash too."""
        wanted = self.version(name) if version is None else int(self.open(name, version).version())
        # The history of a table opened at an old version is numbered wrongly (deltalake 1.6.6).
        few = int(self.open(name).version()) - wanted + 1
        found = (e for limit in (few, None) for e in self.history(name, limit))
        entry = next(e for e in found if e["version"] == wanted)
        return {key: value for key, value in entry.items() if isinstance(value, str)}

    def intact(self, version: TableVersion) -> bool:
        """Whether a version has its content and its files; BadInput where there is no such."""
        content = self.metadata(version.table, version.version).get(CONTENT_HASH)
        return content == version.content_hash and upkeep.whole(
            self.open(version.table, version.version)
        )

    def history(self, name: TableName, limit: int | None = None) -> list[dict[str, object]]:
        """The commits of a table, newest first; all, or so many.

        deltalake 1.6.6 counts down from the version that was opened, whatever came since.
        """
        while True:
            table = self.open(name)
            entries, opened = list(table.history(limit)), table.version()
            table.update_incremental()
            if table.version() == opened:
                return entries

    def read(
        self,
        name: TableName,
        version: int | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        order_by: Sequence[str] = (),
    ) -> pa.Table:
        """Rows at a version (newest: None); only the named columns are read.

        `where` is a condition in SQL, `order_by` names columns. BadInput where there is no such
        table or version, FilesRemoved where files of a named version are gone; the newest one is
        read anew then.
        """
        what = ", ".join(map(quoted, columns)) if columns else "*"
        query = f"SELECT {what} FROM t"  # noqa: S608, an embedded engine over our own table
        query += f" WHERE {where}" if where else ""
        query += f" ORDER BY {', '.join(map(quoted, order_by))}" if order_by else ""
        return engine.reread(lambda: self.query(query, t=self.open(name, version)))

    def query(self, sql: str, **tables: DeltaTable) -> pa.Table:
        """Answer of a query over opened tables, named as they are given."""
        return engine.answer(sql, tables)

    def stream(self, sql: str, **tables: DeltaTable) -> Iterator[pa.Table]:
        """Answer of a query in parts; no more than a part is held."""
        return engine.parts(sql, tables)


def _properties(metadata: Mapping[str, str]) -> CommitProperties:
    return CommitProperties(custom_metadata=dict(metadata))
