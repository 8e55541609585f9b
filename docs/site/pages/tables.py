"""The reference of tables: columns, types and meanings, by the schemas that the code writes."""

from datetime import UTC, datetime
from typing import get_args

import pyarrow as pa

from contract.names import DELIVERY, TableName
from contract.store.feedback import feedback_schema
from contract.store.ledger import SCHEMA as LEDGER
from contract.store.meanings import COLUMNS, TABLES
from contract.store.predictions import predictions_schema
from contract.store.schema import arrow_schema
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from docs.site.markdown import code, table
from pipelines.data.label_rows import refusal_rows
from pipelines.data.raw_table import quarantine_schema, raw_schema
from pipelines.runtime.lease import SCHEMA as LEASE

HEAD = """# Tables

Delta tables under `<root>/<use case>/`, where the root is `FOURCYCLE_ROOT`. Below they are those of
the use case `penguins`; of another one the declared columns are others, and the rest is the same.
`fourcycle datasets` lists, describes and reads them; any reader of Delta can read them too.

"""
DECLARED = "declared in the use case"


def page() -> str:
    """The whole page, a part for each table."""
    use_case = load_use_case("penguins")
    parts = [HEAD]
    for name in get_args(TableName):
        fields = schemas(use_case)[name]
        rows = [
            (code(field.name), code(field.type), meaning(name, field, use_case)) for field in fields
        ]
        parts.append(f"## `{name}`\n\n{TABLES[name]}\n\n")
        parts.append(table(("column", "type", "meaning"), rows))
    return "".join(parts)


def schemas(use_case: UseCase) -> dict[TableName, pa.Schema]:
    """Columns of every table of a use case."""
    keys = {key: use_case.log_types[key] for key in use_case.label_keys}
    features = {name: use_case.log_types[name] for name in use_case.features}
    declared, hidden = raw_schema(use_case), Pseudonymiser.of(use_case, "")
    frozen = declared.remove(declared.get_field_index(DELIVERY))
    return {
        "raw": declared,
        "quarantine": quarantine_schema(use_case),
        "training": frozen,
        "holdout": frozen,
        "labelled": arrow_schema(use_case),
        "predictions": predictions_schema(features, keys, use_case.answer_type),
        "feedback": feedback_schema(keys, use_case.answer_type),
        "feedback_quarantine": refusal_rows([], "", use_case, hidden, datetime.now(UTC)).schema,
        "ledger": LEDGER,
        "lease": LEASE,
    }


def meaning(name: TableName, field: pa.Field, use_case: UseCase) -> str:
    """What a column means: by our own words, or by the use case's."""
    if field.name in COLUMNS[name]:
        return COLUMNS[name][field.name]
    return use_case.columns[field.name].description or DECLARED
