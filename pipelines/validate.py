"""Validate: check new rows by the expectations that derive from the use case.

Rows that fail go to the table `quarantine` with the reasons. Too many of them, or a failed critical
expectation over the whole table, stop the run and take the delivery out of `raw` again.
"""

from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from mlflow.entities import Run

from contract.errors import Refused
from contract.names import DELIVERY, REASONS, ROW_HASH
from contract.store.rows.fingerprint import content_hash, value_hash
from contract.store.tables import CONTENT_HASH, TableVersion
from contract.use_case.model import UseCase
from pipelines.data.delivery import (
    LATE_DUPLICATE,
    RefusedDelivery,
    check_frame,
    log_reports,
    refusal,
    refusal_reasons,
    refusal_told,
    taken_told,
)
from pipelines.data.expectations import clock_note, row_rules, table_rules
from pipelines.data.profiling.notes import ColumnNote, page
from pipelines.data.profiling.strange_values import strange
from pipelines.data.raw_table import (
    known_rows,
    last_delivery,
    late_duplicates,
    quarantine_schema,
    valid_rows,
)
from pipelines.data.validated import Validated
from pipelines.ingest import STEP as INGEST
from pipelines.ingest import Ingested
from pipelines.runtime import cli
from pipelines.runtime.code_hash import code_hash
from pipelines.runtime.console import console, count, working
from pipelines.runtime.run_inputs import log_input
from pipelines.runtime.step import (
    Done,
    Step,
    execute,
    find_result,
    latest_run,
    load_result,
    lock_hash,
)
from pipelines.runtime.workspace import Workspace, open_workspace
from tracking.store import search_tagged
from tracking.tags import DATA_HASH_TAG, NOTE_TAG, RULES_TAG, STEP_TAG

if TYPE_CHECKING:  # Great Expectations takes seconds to import; a reused step never needs it
    from pipelines.data.gx_report import ExpectationResult, ValidationReport


STEP = Step(
    "validate",
    Validated,
    ("columns", "keys", "target", "expectations", "validation", "source.late_duplicates"),
)


def validate(workspace: Workspace, ingested: Ingested) -> Done[Validated]:
    """Check what was delivered since the last validation by the same rules."""
    inputs = {"raw": ingested.raw.content_hash}
    done = execute(workspace, STEP, lambda: _validate(workspace, ingested.raw), inputs)
    if ingested.collected:
        taken_told(workspace)
    return done


def newest_valid(workspace: Workspace) -> tuple[Validated, pa.Table]:
    """What the newest validation found, and its valid rows in order of time."""
    validated = load_result(workspace, STEP, latest_run(workspace, STEP))
    versions = validated.raw.version, validated.quarantine.version
    return validated, valid_rows(workspace.tables, workspace.use_case, *versions)


def validation_of(workspace: Workspace, raw_hash: str) -> Validated:
    """The newest finished validation of rows with this content hash; Refused where none is."""
    runs = _finished(workspace, DATA_HASH_TAG, raw_hash)
    if not runs:
        raise Refused(f"no finished validation of raw rows {raw_hash[:12]} is known")
    return load_result(workspace, STEP, runs[0].info.run_id)


def _finished(workspace: Workspace, tag: str, value: str) -> list[Run]:
    """The newest finished validation with this tag, if there is one."""
    finished = f"tags.{STEP_TAG} = '{STEP.name}' and attributes.status = 'FINISHED'"
    where = [workspace.experiment_id]
    return search_tagged(workspace.client, where, tag, value, finished, max_results=1)


def _validate(workspace: Workspace, raw: TableVersion) -> Validated:
    use_case, tables = workspace.use_case, workspace.tables
    after = _last_validated(workspace, raw)
    mlflow.set_tag(RULES_TAG, _rules(use_case))
    rows = tables.read("raw", raw.version)
    is_fresh = pc.greater(rows.column(DELIVERY), after)
    fresh = rows if pc.all(is_fresh).as_py() else rows.filter(is_fresh)  # a filter copies
    with working(f"checking {count(fresh.num_rows)} rows by expectations"):
        reports = _reports(use_case, rows, fresh)
        notes = tuple(strange(rows, use_case))
    log_reports(reports)
    _log_notes(notes)
    log_input(tables, raw, "raw")
    findings = [f for report in reports.values() for f in report.findings]
    reasons = _reasons(workspace, raw, findings, after)
    quarantine, n_quarantined = _quarantine(workspace, fresh, reasons, after)
    validated = Validated(
        raw=raw,
        quarantine=quarantine,
        delivery=last_delivery(rows),
        rows_checked=fresh.num_rows,
        rows_quarantined=n_quarantined,
        expectations_passed=sum(f.passed for f in findings),
        expectations_total=len(findings),
        warnings=tuple(
            f"{f.name}, {f.detail}"
            for f in findings
            if not f.passed and f.rule.severity == "warning"
        ),
        notes=notes,
    )
    _log_counts(validated)
    if why := refusal(use_case, findings, validated):
        _take_back(workspace, after)
        with refusal_told(workspace):
            raise RefusedDelivery(
                f"Validation stopped: {why} The delivery was taken out of raw again.",
                refusal_reasons(use_case, findings, validated),
                content_hash(fresh.column(ROW_HASH).to_numpy()),
            )
    return validated


def _reports(use_case: UseCase, rows: pa.Table, fresh: pa.Table) -> "dict[str, ValidationReport]":
    """Reports by name: of all rows at once, or of the new rows and of the table where some passed
    before."""
    from pipelines.data.gx_report import check

    whole = check_frame(rows.drop_columns([DELIVERY]))
    if fresh.num_rows == rows.num_rows:
        return {"all": check(whole, row_rules(use_case) + table_rules(use_case), use_case.name)}
    new = check_frame(fresh.drop_columns([DELIVERY]))
    return {
        "new": check(new, row_rules(use_case), use_case.name),
        "table": check(whole, table_rules(use_case), use_case.name),
    }


def _log_counts(validated: Validated) -> None:
    mlflow.log_metrics(
        {
            "expectations_passed": validated.expectations_passed,
            "expectations_failed": validated.expectations_total - validated.expectations_passed,
            "rows_quarantined": validated.rows_quarantined,
        }
    )


def _log_notes(notes: tuple[ColumnNote, ...]) -> None:
    """Notes are the run's description, so that whoever looks at the validation reads them first."""
    mlflow.log_dict({"notes": [asdict(note) for note in notes]}, "validation/notes.json")
    mlflow.set_tag(NOTE_TAG, page(notes))


def _rules(use_case: UseCase) -> str:
    """Rows checked by other rules must be checked again."""
    return value_hash(
        [use_case.sections(*STEP.sections), code_hash("pipelines.validate"), lock_hash()]
    )


def _last_validated(workspace: Workspace, raw: TableVersion) -> int:
    """Number of the newest delivery that passed these very rules and still stands in `raw`."""
    runs = _finished(workspace, RULES_TAG, _rules(workspace.use_case))
    if not runs or not workspace.tables.exists("quarantine"):
        return 0
    last = find_result(workspace, STEP, runs[0].info.run_id)
    if last is None:
        return 0
    if workspace.tables.metadata("quarantine").get(CONTENT_HASH) != last.quarantine.content_hash:
        return 0  # another declaration, or a validation that did not end, wrote there since
    rows = known_rows(workspace.tables, raw.version)
    same = rows.filter(pc.less_equal(rows.column(DELIVERY), last.delivery))
    unchanged = content_hash(same.column(ROW_HASH).to_numpy()) == last.raw.content_hash
    return last.delivery if unchanged else 0


def _reasons(
    workspace: Workspace, raw: TableVersion, findings: "list[ExpectationResult]", after: int
) -> dict[int, list[str]]:
    reasons: dict[int, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.rule.level == "row":
            for row in finding.failed_rows:
                reasons[row].append(finding.name + clock_note(finding.rule, workspace.use_case))
    if workspace.use_case.source.late_duplicates == "quarantine":
        late = late_duplicates(workspace.tables, workspace.use_case, raw.version, after)
        for row in late.column(ROW_HASH).to_pylist():
            reasons[row].append(LATE_DUPLICATE)
    return reasons


def _quarantine(
    workspace: Workspace, fresh: pa.Table, reasons: dict[int, list[str]], after: int
) -> tuple[TableVersion, int]:
    """The table and how many of the fresh rows went into it."""
    tables = workspace.tables
    schema = quarantine_schema(workspace.use_case)
    tables.create("quarantine", schema)
    bad = fresh.filter(pc.is_in(fresh.column(ROW_HASH), pa.array(list(reasons), pa.int64())))
    failed = [reasons[row] for row in bad.column(ROW_HASH).to_pylist()]
    bad = bad.append_column(REASONS, pa.array(failed, schema.field(REASONS).type)).cast(schema)
    where: str | None = f"{DELIVERY} > {after}"
    if not tables.schema("quarantine").equals(schema):  # of columns that are no longer declared
        where = None
    kept = tables.read("quarantine", columns=[ROW_HASH], where=f"{DELIVERY} <= {after}")
    hashes = np.concatenate([c.column(ROW_HASH).to_numpy() for c in (kept, bad)])
    total = content_hash(hashes)
    if tables.metadata("quarantine").get(CONTENT_HASH) == total:
        version = tables.version("quarantine")
    else:
        version = tables.overwrite("quarantine", bad, where, **{CONTENT_HASH: total})
    return TableVersion("quarantine", version, len(hashes), total), bad.num_rows


def _take_back(workspace: Workspace, after: int) -> None:
    tables = workspace.tables
    rows = known_rows(tables)
    kept = rows.filter(pc.less_equal(rows.column(DELIVERY), after)).column(ROW_HASH).to_numpy()
    tables.delete("raw", f"{DELIVERY} > {after}", **{CONTENT_HASH: content_hash(kept)})
    console().print("  rows of the refused delivery stay readable in the older table version")


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    ingest: cli.RunOption = "",
) -> None:
    """Validate: check new rows with Great Expectations, quarantine the bad ones."""
    with open_workspace(use_case, root) as workspace:
        run_id = latest_run(workspace, INGEST, ingest)
        validate(workspace, load_result(workspace, INGEST, run_id))


if __name__ == "__main__":
    cli.run(main)
