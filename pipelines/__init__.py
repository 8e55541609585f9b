"""The data, model and development cycles: one module for each step of the life of a model."""

import gc
import os

from contract.interrupted import say_one_line

# The one effect of imports in this project: the libraries read these while they are imported, which
# takes seconds in which somebody may press Ctrl-C, so no later place is early enough.
say_one_line()
# Nothing that is imported is garbage; to look for it at every 700 objects takes a tenth of a start.
gc.set_threshold(100_000)
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}.items():
    os.environ.setdefault(_name, _value)
