"""Where a plot of a run is seen, in MLflow's user interface."""

from contract.markdown import in_view
from contract.settings import Settings
from contract.use_case.model import UseCase


def errors_plot(use_case: UseCase, settings: Settings, experiment: str, run: str) -> dict[str, str]:
    """The address of the plot that shows the errors of a model, under the words for it."""
    what, name = ("confusion matrix", "confusion_matrix")
    if not use_case.classifies:
        what = name = "residuals"
    plot = in_view(f"experiments/{experiment}/runs/{run}/artifacts/plots/{name}.png")
    return {f"{what}, while make ui runs": f"{settings.ui_address}/{plot}"}
