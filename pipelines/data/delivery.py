"""A delivery as expectations see it, its refusal, and who hears of that."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import mlflow
import pandas as pd
import pyarrow as pa

from contract.errors import BadInput, Refused
from contract.settings import Settings
from contract.store.cells import EXACT
from contract.store.rows.fingerprint import content_hash, row_hashes, value_hash
from contract.store.schema import ConformedRows
from contract.use_case.model import UseCase
from pipelines.data.expectations import structure
from pipelines.data.validated import Validated
from pipelines.runtime.console import console, working
from pipelines.runtime.workspace import Workspace

if TYPE_CHECKING:  # Great Expectations takes seconds to import; a delivery in order does not pay
    from pipelines.data.gx_report import ExpectationResult, ValidationReport

REFUSED = "A delivery does not look as declared, nothing was taken in."
LATE_DUPLICATE = "late duplicate of a known key"


class RefusedDelivery(Refused):
    """A delivery was not taken in. `reasons` name columns and figures of all rows, no value."""

    def __init__(self, message: str, reasons: tuple[str, ...], rows: str) -> None:
        super().__init__(message)
        self.reasons = reasons
        self.content = value_hash([rows, reasons])  # `rows` is their content hash


@contextmanager
def refusal_told(workspace: Workspace) -> Iterator[None]:
    """Where a delivery is refused in the block, people hear of it, with the active run's page."""
    try:
        yield
    except (Refused, BadInput) as error:
        from monitoring.alerts.announce import tell
        from monitoring.alerts.notices.refused_delivery import refused
        from monitoring.report.publish import link

        run = mlflow.active_run()
        page = link(workspace.experiment_id, run.info.run_id) if run else ""
        known = error if isinstance(error, RefusedDelivery) else _unreadable(error)
        notice = refused(known.content, known.reasons, page)
        tell(workspace.use_case, workspace.settings, _note, notices=[notice])
        raise


def _unreadable(error: Refused | BadInput) -> RefusedDelivery:
    """A reader's own refusal names places alone; what a driver or loader said may be a value."""
    why = str(error) if isinstance(error, Refused) else "The log of the job says why."
    reasons = ("The source can't be read as declared, nothing was taken in.", why)
    return RefusedDelivery(str(error), reasons, value_hash(str(error)))


def tell_refused(use_case: UseCase, settings: Settings, reasons: tuple[str, ...]) -> None:
    """Where anybody listens, tell that the source's first rows are not as declared."""
    from monitoring.alerts.announce import tell
    from monitoring.alerts.channels.registry import channels
    from monitoring.alerts.notices.refused_delivery import refused

    if channels(settings):
        notice = refused(value_hash(reasons), (REFUSED, *reasons), "")
        tell(use_case, settings, _note, notices=[notice])


def taken_told(workspace: Workspace) -> None:
    """The source's rows were taken in, or are known: what was open about it is over."""
    from monitoring.alerts.announce import tell
    from monitoring.alerts.notices.refused_delivery import taken
    from monitoring.alerts.notices.registry import look

    late = look(workspace.use_case, workspace.tables, datetime.now(UTC))
    tell(workspace.use_case, workspace.settings, _note, notices=[taken(), *late])


def _note(line: str) -> None:
    console().print(f"  {line}", markup=False)


def refuse_delivery(use_case: UseCase, delivered: ConformedRows) -> NoReturn:
    """Say by name which structural expectations a delivery fails; it never enters `raw`."""
    from pipelines.data.gx_report import check

    with working("checking the columns of the delivery"):
        checked = check(check_frame(delivered.table), structure(use_case), use_case.name)
    log_reports({"delivery": checked})
    failed = [f for f in checked.findings if not f.passed]
    # Of a missing column once; what could not be had as declared may have a type that passes.
    told = dict.fromkeys(_reason(f, delivered) for f in failed)
    known = {f.rule.arguments.get("column") for f in failed}
    told |= {f"{n}: {why}": None for n, why in delivered.retyped.items() if n not in known}
    raise RefusedDelivery(
        f"The delivery does not look as declared, nothing was ingested: {'; '.join(told)}.",
        (REFUSED, *told),
        _content(delivered),
    )


def _content(delivered: ConformedRows) -> str:
    """Hash of the rows, those columns that can be hashed; the reasons tell of the others."""
    columns = [name for name in delivered.table.column_names if name not in delivered.retyped]
    return content_hash(row_hashes(delivered.table.select(columns)))


def _reason(finding: "ExpectationResult", delivered: ConformedRows) -> str:
    column = str(finding.rule.arguments.get("column"))
    if column in delivered.missing:
        return f"the column {column} is missing"
    if column in delivered.retyped:
        return f"{column}: {delivered.retyped[column]}"
    return f"{finding.name}, {finding.detail}"


def refusal(use_case: UseCase, findings: "list[ExpectationResult]", validated: Validated) -> str:
    """Why a delivery may not be used; "" where it may."""
    if critical := _critical(findings):
        return "; ".join(f"{f.name}, {f.detail}" for f in critical) + "."
    failed = "; ".join(f"{f.name}, {f.detail}" for f in _row_level(findings))
    if why := _share(use_case, validated, failed):
        return f"{why} They stand in the table quarantine with their reasons."
    return ""


def _critical(findings: "list[ExpectationResult]") -> "list[ExpectationResult]":
    return [
        f
        for f in findings
        if not f.passed and f.rule.level == "table" and f.rule.severity == "critical"
    ]


def _row_level(findings: "list[ExpectationResult]") -> "list[ExpectationResult]":
    return [f for f in findings if not f.passed and f.rule.level == "row"]


def _share(use_case: UseCase, validated: Validated, failed: str) -> str:
    share = validated.rows_quarantined / max(validated.rows_checked, 1)
    limit = use_case.validation.max_quarantined_share
    if share <= limit:
        return ""
    return (
        f"{share:.1%} of the rows failed ({failed or LATE_DUPLICATE}), max_quarantined_share "
        f"allows {limit:.1%}."
    )


def refusal_reasons(
    use_case: UseCase, findings: "list[ExpectationResult]", validated: Validated
) -> tuple[str, ...]:
    """What an alert says: the details of an expectation may be values of rows, its name is not."""
    failed = [f"Failed: {f.name}." for f in _critical(findings)]
    share = _share(use_case, validated, "; ".join(f.name for f in _row_level(findings)))
    return ("Validation refused a delivery; it was taken out again.", *(failed or [share]))


def check_frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as expectations see them: times in UTC without a zone, for which a type can be asked."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(
                i, field.name, rows.column(i).cast(pa.timestamp(field.type.unit))
            )
    # Columns side by side: a block of all of one type would be one more copy of them.
    frame: pd.DataFrame = rows.to_pandas(split_blocks=True)
    for name in frame.columns[frame.dtypes == "float64"]:
        # Beside a null, pandas makes floats of integers, and beyond 2^53 one key of several.
        if pa.types.is_integer(rows.schema.field(name).type) and frame[name].abs().max() >= EXACT:
            frame[name] = pd.array(rows.column(name).to_pylist(), pd.Int64Dtype())
    return frame


def log_reports(reports: "dict[str, ValidationReport]") -> None:
    """Log each report of Great Expectations as JSON and as a page to the active run."""
    for name, checked in reports.items():
        mlflow.log_dict(checked.document, f"validation/{name}.json")
        mlflow.log_text(checked.page, f"validation/{name}.html")
