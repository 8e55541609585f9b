"""A delivery as expectations see it, and its refusal where it does not look as declared."""

from typing import TYPE_CHECKING, NoReturn

import mlflow
import pandas as pd
import pyarrow as pa

from contract.errors import Refused
from contract.store.schema import ConformedRows
from contract.use_case.model import UseCase
from pipelines.data.expectations import structure
from pipelines.runtime.console import working

if TYPE_CHECKING:  # Great Expectations takes seconds to import; a delivery in order does not pay
    from pipelines.data.gx_report import ExpectationResult, ValidationReport


def refuse_delivery(use_case: UseCase, delivered: ConformedRows) -> NoReturn:
    """Say by name which structural expectations a delivery fails; it never enters `raw`."""
    from pipelines.data.gx_report import check

    with working("checking the columns of the delivery"):
        checked = check(check_frame(delivered.table), structure(use_case), use_case.name)
    log_reports({"delivery": checked})
    failed = [f for f in checked.findings if not f.passed]
    told = dict.fromkeys(_reason(f, delivered) for f in failed)  # of a missing column once
    raise Refused(
        f"The delivery does not look as declared, nothing was ingested: {'; '.join(told)}."
    )


def _reason(finding: "ExpectationResult", delivered: ConformedRows) -> str:
    column = str(finding.rule.arguments.get("column"))
    if column in delivered.missing:
        return f"the column {column} is missing"
    if column in delivered.retyped:
        return f"{finding.name}, found {delivered.retyped[column]}"
    return f"{finding.name}, {finding.detail}"


def check_frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as expectations see them: times in UTC without a zone, for which a type can be asked."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(
                i, field.name, rows.column(i).cast(pa.timestamp(field.type.unit))
            )
    frame: pd.DataFrame = rows.to_pandas()
    return frame


def log_reports(reports: "dict[str, ValidationReport]") -> None:
    """Log each report of Great Expectations as JSON and as a page to the active run."""
    for name, checked in reports.items():
        mlflow.log_dict(checked.document, f"validation/{name}.json")
        mlflow.log_text(checked.page, f"validation/{name}.html")
