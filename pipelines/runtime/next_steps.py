"""What a person does next: commands that name the use case as it was given, and where to look."""

import shlex

from contract.settings import Settings
from contract.use_case.model import UseCase

BY_DEFAULT = "flights"  # of the Makefile


def make(target: str, use_case: str) -> str:
    """A call of make for a use case, as a shell reads it; make itself takes `$` for its own."""
    if use_case == BY_DEFAULT:
        return f"make {target}"
    return f"make {target} USE_CASE={shlex.quote(use_case.replace('$', '$$'))}"


def python(module: str, use_case: str) -> str:
    """A call of one of our modules for a use case, as a shell reads it."""
    return f"python -m {module} --use-case {shlex.quote(use_case)}"


def errors_plot(use_case: UseCase, settings: Settings, experiment: str, run: str) -> dict[str, str]:
    """Where the plot that shows the errors of a model stands in MLflow, while `make ui` runs."""
    what, name = ("confusion matrix", "confusion_matrix")
    if not use_case.classifies:
        what = name = "residuals"
    address = f"{settings.ui_url.rstrip('/')}/#/experiments/{experiment}/runs/{run}"
    return {f"{what}, while make ui runs": f"{address}/artifacts/plots/{name}.png"}
