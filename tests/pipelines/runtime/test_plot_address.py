"""The plot that a person is led to says how the model errs."""

from pathlib import Path

from contract.settings import read_settings
from pipelines.runtime.plot_address import errors_plot
from tests.conftest import made_use_case


def test_classes_have_a_confusion_matrix_and_numbers_have_residuals(home: Path) -> None:
    ((words, address),) = errors_plot(made_use_case(home), read_settings(), "1", "r").items()
    assert words.startswith("confusion matrix") and "/plots/confusion_matrix.png" in address
    numbers = made_use_case(home, {"task": "regression"})
    ((words, address),) = errors_plot(numbers, read_settings(), "1", "r").items()
    assert words.startswith("residuals") and "/plots/residuals.png" in address
