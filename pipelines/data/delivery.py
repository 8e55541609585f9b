"""A delivery as expectations see it, and its refusal where it does not look as declared."""

from typing import TYPE_CHECKING, NoReturn

import mlflow
import pandas as pd
import pyarrow as pa

from contract.errors import Refused
from contract.store.cells import EXACT
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
    found = [f"{f.name}: {_reason(f, delivered)}" for f in failed]
    # What could not be had as declared may have a type that passes.
    told = {f.rule.arguments.get("column") for f in failed}
    found += [f"{n}: {why}" for n, why in delivered.retyped.items() if n not in told]
    reasons = "; ".join(found)
    raise Refused(
        f"The delivery does not look as declared, nothing was ingested. Failed: {reasons}."
    )


def _reason(finding: "ExpectationResult", delivered: ConformedRows) -> str:
    column = str(finding.rule.arguments.get("column"))
    if column in delivered.missing:
        return "the column is missing"
    return delivered.retyped.get(column, finding.detail)


def check_frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as expectations see them: times in UTC without a zone, for which a type can be asked."""
    for i, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(
                i, field.name, rows.column(i).cast(pa.timestamp(field.type.unit))
            )
    frame: pd.DataFrame = rows.to_pandas()
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
