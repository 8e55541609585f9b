"""Where a plot of a run is seen, in MLflow's user interface."""

from contract.settings import Settings
from contract.use_case.model import UseCase


def errors_plot(use_case: UseCase, settings: Settings, experiment: str, run: str) -> dict[str, str]:
    """The address of the plot that shows the errors of a model, under the words for it."""
    what, name = ("confusion matrix", "confusion_matrix")
    if not use_case.classifies:
        what = name = "residuals"
    address = f"{settings.ui_url.rstrip('/')}/#/experiments/{experiment}/runs/{run}"
    return {f"{what}, while make ui runs": f"{address}/artifacts/plots/{name}.png"}
