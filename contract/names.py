"""Names that cross between rooms: aliases, stages, tables, experiments, columns of ours."""

import re
from typing import Literal

CHALLENGER = "challenger"
CHAMPION = "champion"
PREVIOUS = "previous"

STAGING = "Staging"
PRODUCTION = "Production"
ARCHIVED = "Archived"

TableName = Literal[
    "raw",
    "quarantine",
    "training",
    "holdout",
    "predictions",
    "feedback",
    "feedback_quarantine",
    "labelled",
    "ledger",
    "lease",
]
Cycle = Literal["training", "releases", "monitoring"]

# Ours in the table `predictions`, beside the use case's keys.
PREDICTION_COLUMNS = frozenset(
    {
        "prediction_id",
        "request_id",
        "row",
        "event_time",
        "event_date",
        "logged_time",
        "model",
        "version",
        "schema_hash",
        "inputs",
        "prediction",
        "probability",
        "latency_ms",
        "flags",
        "key_id",
        "shadow",
        "shadow_version",
        "source",
    }
)
# Ours in `feedback` and `feedback_quarantine`, where they are no column of `predictions`.
FEEDBACK_COLUMNS = frozenset({"label", "label_time", "received_time", "reason"})
# Ours beside the event time, under its own name: in the body of feedback, in what `score` writes.
BESIDE_EVENT_TIME = frozenset({"prediction_id", "label", "label_time", "prediction", "flags"})

# Where a prediction was asked for: the column `source` of `predictions`.
HTTP = "http"
BATCH = "batch"  # rows of a table or a file, by `score`
FORM = "form"  # of the status page; it tries the service, so nothing is judged by it

ROW_HASH = "_row_hash"  # int64, hash of the declared columns of one row
ROW_KEY = "_row_key"  # string, SHA-256 of the cells of a row whose use case has no keys
ROW_NUMBER = "_row_number"  # int64, which of the equal rows of one reading it is: 1, 2, ...
DELIVERY = "_delivery"  # int64, which ingest brought the row: 1, 2, ...
REASONS = "_reasons"  # list of strings, the expectations that a quarantined row failed
# Beside all columns of the use case.
ROW_COLUMNS = frozenset({ROW_HASH, ROW_KEY, ROW_NUMBER, DELIVERY, REASONS})

# Of a registered version: the SHA-256 of its package's manifest.
PACKAGE_TAG = "package_digest"

USE_CASE_FILE = "use_case.yaml"  # the frozen copy inside a model version's package
REFERENCE_DIR = "reference"
SCORER_DIR = "scorer"


def file_name(name: str) -> str:
    """A column's name as part of a file's or a metric's: what MLflow takes, and no path."""
    return re.sub(r"^\.+$|[^\w\-. ]", "_", name, flags=re.ASCII)


def experiment(use_case: str, cycle: Cycle) -> str:
    """The MLflow experiment that holds the runs of one cycle of one use case."""
    return f"{use_case}/{cycle}"
