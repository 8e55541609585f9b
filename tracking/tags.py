"""Every tag that we write on runs, versions and registered models, by its name in MLflow.

Filters, pages and people rely on these names: what is stored under one stays readable.
"""

from collections.abc import Mapping

from contract import names

# Before tags of runs that only programs read, so that people see theirs. Releases before 0.3 wrote
# them without it: `of_machine` and `tracking.store.search_tagged` find both.
MACHINE = "fourcycle."

# MLflow's own.
KIND_TAG = "mlflow.experimentKind"  # of an experiment
NOTE_TAG = "mlflow.note.content"  # the description, Markdown
PARENT_TAG = "mlflow.parentRunId"
RUN_NAME_TAG = "mlflow.runName"

# Of every run of ours.
STEP_TAG = "step"
USE_CASE_TAG = "use_case"
PROCESS_TAG = f"{MACHINE}process"  # identity of the process that writes it
ACTOR_TAG = "actor"  # the user that MLflow's server knows, else `unproven`
ACTOR_NOTE_TAG = "actor_note"  # what the environment says beside that
CACHE_KEY_TAG = f"{MACHINE}cache_key"
REUSED_TAG = "reused_from"  # the run that did the work
VERSION_TAG = "model_version"  # the version that it is about
WINDOW_TAG = "window"
DATA_VERSION_TAG = "data_version"
DATA_HASH_TAG = f"{MACHINE}data_hash"

# Of the runs of single steps.
CHAMPION_TAG = "champion"
CHAMPION_UNREADABLE_TAG = "champion_unreadable"
CODE_HASH_TAG = f"{MACHINE}code_hash"
PLATFORM_TAG = "platform"
PYTHON_TAG = "python"
REPRODUCED_TAG = "reproduced"
RULES_TAG = f"{MACHINE}rules"  # hash of the expectations
SCORER_TAG = "scorer"
TRIAL_STATE_TAG = "trial_state"

# Of a version: where it comes from. Some stand on runs too.
TRAIN_RUN_TAG = "train_run"
EVALUATE_RUN_TAG = "evaluate_run"
PACKAGE_RUN_TAG = "package_run"
PACKAGE_TAG = names.PACKAGE_TAG  # the SHA-256 of its manifest when it was registered
TRAINED_BY_TAG = "trained_by"  # the proven user, else `unproven`
TRAINED_BY_NOTE_TAG = "trained_by_note"
SIGNATURE_TAG = "package_signature"  # over the model's name, version and package
GIT_COMMIT_TAG = "git_commit"
GIT_DIRTY_TAG = "git_dirty"
LOCK_HASH_TAG = "lock_hash"
ESTIMATOR_TAG = "estimator"
OWN_CLASS_TAG = "own_class"  # SHA-256 of the file of the user's own class
PREDICTION_HASH_TAG = "prediction_hash"
EXPECTATIONS_TAG = "expectations"  # passed/all
COMPARED_WITH_TAG = "compared_with"  # the champion when it was evaluated
REPRODUCIBLE_TAG = "reproducible"
REPRODUCIBLE_REASON_TAG = "reproducible_reason"

# Of a version: what was decided about it.
GATE_TAG = "gate"
GATE_REASONS_TAG = "gate_reasons"
GATE_CHAMPION_TAG = "gate_champion"
GATE_RUN_TAG = "gate_run"
GATE_ALLOW_BREAKING_TAG = "gate_allow_breaking"
APPROVAL_TAG = "approval"
STAGE_TAG = "stage"  # where the stage API is not called
STATUS_TAG = "status"  # one line for people
MONITORING_TAG = "monitoring"
MONITORING_WINDOW_TAG = "monitoring_window"
MONITORING_REASON_TAG = "monitoring_reason"
MONITORING_REPORT_TAG = "monitoring_report"

# Of a registered model and of the runs of moves.
LEDGER_TAG = "ledger"  # the entry that the registry shows
LEDGER_HASH_TAG = f"{MACHINE}ledger_hash"
WHO_TAG = "who"
WHY_TAG = "why"
RELEASE_CHECK_TAG = "release_check"

# Of the run of a monitoring report.
CONTENT_TAG = f"{MACHINE}content"
VERDICT_TAG = "verdict"
LABELLED_TAG = "labelled"
LABELS_UNTIL_TAG = "labels_until"  # time of the newest label that it rests on
WINDOW_START_TAG = "window_start"
WINDOW_END_TAG = "window_end"
REVISION_TAG = "revision"
FOLLOWED_BY_TAG = "followed_by"
ALERT_TAG = "alert"  # alarm or recovery
ALERT_DUE_TAG = "alert_due"  # channels that did not get it yet
NOTICE_TAG = "notice"  # the kind of a message that is no drift signal
ALERT_SENT_TAG = "alert_sent"  # channels that did, and when
RETRAINED_VERSION_TAG = "retrained_version"  # what was made because of it
RETRAINING_TAG = "retraining"  # what became of its call, in words

# Of the run of a retraining and of the version that it made.
RETRAINED = "retrained_"
RETRAINED_BECAUSE_TAG = "retrained_because"  # the run of the report that called, or by hand
RETRAINED_WHY_TAG = "retrained_why"
RETRAINED_LABELS_TAG = "retrained_labels"  # the days of the labelled answers that joined
RETRAINED_AS_OF_TAG = "retrained_as_of"
RETRAINED_WINDOW_TAG = "retrained_window"
RETRAINED_TUNED_TAG = "retrained_tuned"  # yes: with the parameters of a champion that was tuned
RETRAINED_SIGNALS_TAG = "retrained_signals"


def spellings(tag: str) -> tuple[str, ...]:
    """A tag's name, and the one that older releases gave it."""
    return tuple(dict.fromkeys((tag, tag.removeprefix(MACHINE))))


def of_machine(tags: Mapping[str, str], tag: str) -> str:
    """The value of a tag for programs, whatever release wrote it; "" where it is not there."""
    return next((tags[name] for name in spellings(tag) if name in tags), "")


def table_version_tag(table: str) -> str:
    """On a version or run: which version of a table it rests on."""
    return f"{table}_version"


def table_hash_tag(table: str) -> str:
    """On a version: the hash of all rows of that table version."""
    return f"{table}_hash"


def table_tags(table: str, version: int, content_hash: str) -> dict[str, str]:
    """Both, of one table version."""
    return {table_version_tag(table): str(version), table_hash_tag(table): content_hash}
