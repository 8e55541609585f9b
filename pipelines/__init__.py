"""The data, model and development cycles: one module for each step of the life of a model."""

import os

from contract.start import collect_seldom, say_one_line

# The one effect of imports in this project: the libraries read these while they are imported, which
# takes seconds in which somebody may press Ctrl-C, so no later place is early enough.
say_one_line()
collect_seldom()
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}.items():
    os.environ.setdefault(_name, _value)
