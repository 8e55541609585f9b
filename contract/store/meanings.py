"""What each column of our own tables means; those of the use case say it in its file."""

from collections.abc import Mapping

from contract.names import DELIVERY, REASONS, ROW_HASH, ROW_KEY, ROW_NUMBER, TableName

# Of a table as a whole, in a sentence.
TABLES: Mapping[TableName, str] = {
    "raw": "All rows that ever came in, as they came in.",
    "quarantine": "Rows that failed an expectation, each with its reasons.",
    "training": "The rows that a version learned from; a training run names the table version.",
    "holdout": "The newest labelled rows, which no model of that run has seen.",
    "labelled": "Answered rows whose labels have come, as a retraining learns from them.",
    "predictions": "Every row that was answered, once.",
    "feedback": "Every label that was said, row by row; nothing is overwritten.",
    "feedback_quarantine": "Labels of imports that do not fit, as text, with the reason.",
    "ledger": "Every move of a version, chained by hashes.",
    "lease": "Who may retrain, and until when.",
}
_ROWS = {
    ROW_HASH: "hash of the declared columns of the row",
    DELIVERY: "which ingest brought the row: 1, 2, ...",
    REASONS: "the expectations that the row failed",
    ROW_KEY: "where a use case has no keys: the SHA-256 of the cells of the row",
    ROW_NUMBER: "beside it, which of the equal rows of one reading it is: 1, 2, ...",
}
_ANSWERS = {
    "prediction_id": "the id that the answer carried: request and row",
    "request_id": "UUID of the request",
    "row": "place of the row, from 0",
    "event_time": "when the event was, as sent, else when the row arrived",
    "event_date": "day of the event time in UTC, by which files are found",
    "logged_time": "when the answer was logged",
    "model": "name of the registered model",
    "version": "number of the version that answered",
    "schema_hash": "hash of the columns and types of the record",
    "inputs": "what the model was given, one member for each input",
    "prediction": "the answer",
    "probability": "probability of each class, in the order of the classes",
    "latency_ms": "time from the request's head to the answer, milliseconds",
    "flags": "what was unusual, e.g. unseen:carrier",
    "key_id": "id of the API key that asked",
    "shadow": "what the challenger would have answered",
    "shadow_version": "version of that challenger",
    "source": "how it came: http, form or batch",
}
_LABELS = {
    "prediction_id": "the id of the answer that it is about: request and row",
    "event_time": "when the event was, where the label names a row by its keys",
    "label": "what is true, as it was said",
    "label_time": "when it was known; where that was not said, when it arrived",
    "received_time": "when it arrived",
    "key_id": "id of the API key that said it",
}
_REFUSED_LABELS = {
    "source": "the file or query that it came from",
    "row": "place of the row in it, from 0",
    "line": "the line of the file, from 1",
    "reason": "why it does not fit",
    "received_time": "when it arrived",
    "prediction_id": "the id that it names",
    "label": "the label, as it was said",
}
_MOVES = {
    "format": "format of the entry; which columns its hash covers",
    "number": "1, 2, ...; each number once",
    "time": "when the move was made",
    "version": "number of the version that was moved",
    "move": "register, promote, reject, rollback, sign, external (by hand) or reset",
    "from_stage": "stage before",
    "to_stage": "stage after",
    "who": "who asked for it",
    "why": "the reason in words",
    "expected": "the champion that the move was decided against",
    "gate_run": "MLflow run of the gate",
    "data_version": "table version that the version was trained on",
    "release_check": "what the release check found",
    "effects": "what the move did to other versions",
    "champion": "champion after the move",
    "challenger": "challenger after the move",
    "former": "champions before, oldest first, to which a rollback may go",
    "barred": "versions that are not promoted again by themselves",
    "host": "where the command ran",
    "previous_hash": "hash of the entry before",
    "hash": "hash of this entry",
    "proven": "whether MLflow's server knows who asked",
    "note": "the name that the environment claimed",
    "package": "SHA-256 of the version's manifest",
    "signature": "signature of the entry by the jobs' key",
}
_LEASE = {
    "number": "1, 2, ...; each number once",
    "holder": "host, process and its start; empty frees the lease",
    "taken": "since when",
    "expires": "until when at most",
}
# Those of the use case are not among them: a column of a stranger may have any of these names.
COLUMNS: Mapping[TableName, Mapping[str, str]] = {
    "raw": _ROWS,
    "quarantine": _ROWS,
    "training": _ROWS,
    "holdout": _ROWS,
    "labelled": _ROWS,
    "predictions": _ANSWERS,
    "feedback": _LABELS,
    "feedback_quarantine": _REFUSED_LABELS,
    "ledger": _MOVES,
    "lease": _LEASE,
}
