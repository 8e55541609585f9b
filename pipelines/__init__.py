"""The data, model and development cycles: one module for each step of the life of a model."""

import os

# The one effect of an import in this project: these are read while the libraries are imported, so
# no later place is early enough.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}.items():
    os.environ.setdefault(_name, _value)
