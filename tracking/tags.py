"""Every tag that we write on runs, versions and registered models, by its name in MLflow.

Filters, pages and people rely on these names: what is stored under one stays readable.
"""

# Of the run of a retraining and of the version that it made.
RETRAINED_BECAUSE_TAG = "retrained_because"  # the run of the report that called, or by hand
RETRAINED_WHY_TAG = "retrained_why"
RETRAINED_LABELS_TAG = "retrained_labels"  # the days of the labelled answers that joined
RETRAINED_AS_OF_TAG = "retrained_as_of"
RETRAINED_WINDOW_TAG = "retrained_window"
RETRAINED_SIGNALS_TAG = "retrained_signals"

# Of the run of a report that called for a retraining.
RETRAINED_VERSION_TAG = "retrained_version"  # what was made because of it
RETRAINING_TAG = "retraining"  # what became of its call, in words
