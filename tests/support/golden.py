"""The figures of an evaluation as scikit-learn and numpy give them, to hold ours against."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.typing import ColorType
from sklearn import metrics

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.generic]
Figures = dict[str, float]
# Lines fade out at their edges: so many pixels of a plot are of its own colour.
FEWEST_PIXELS = 200


def of_two_classes(y: Flags, p: Floats, weight: Floats | None = None) -> Figures:
    """Every metric of a binary task: `y` whether the class is the positive one, `p` its chance."""
    chosen, counted = p > 0.5, {"sample_weight": weight}
    undefined = counted | {"zero_division": np.nan}
    return {
        "roc_auc": metrics.roc_auc_score(y, p, **counted),
        "average_precision": metrics.average_precision_score(y, p, **counted),
        "log_loss": metrics.log_loss(y, p, labels=[False, True], **counted),
        "brier": metrics.brier_score_loss(y, p, **counted),
        "calibration_error": calibration_error(y, p, weight),
        "accuracy": metrics.accuracy_score(y, chosen, **counted),
        "precision": metrics.precision_score(y, chosen, **undefined),
        "recall": metrics.recall_score(y, chosen, **undefined),
        "f1": metrics.f1_score(y, chosen, **undefined),
    }


def of_several_classes(label: Labels, probability: Floats, classes: Labels) -> Figures:
    """Every metric of a multiclass task; probabilities in the order of the classes."""
    chosen = classes[probability.argmax(axis=1)]
    return {
        "log_loss": metrics.log_loss(label, probability, labels=classes),
        "accuracy": metrics.accuracy_score(label, chosen),
        "balanced_accuracy": metrics.recall_score(label, chosen, average="macro"),
        "f1_macro": metrics.f1_score(label, chosen, average="macro"),
        "roc_auc_ovr": metrics.roc_auc_score(label, probability, multi_class="ovr", labels=classes),
        "calibration_error": calibration_error(label == chosen, probability.max(axis=1)),
    }


def calibration_error(y: Flags, p: Floats, weight: Floats | None = None) -> float:
    """By how far chance and share lie apart in ten steps of chance, on average over the rows."""
    counts = np.ones(len(p)) if weight is None else weight
    step = np.digitize(p, np.arange(1, 10) / 10)
    gaps = [abs(((y - p) * counts)[step == at].sum()) for at in range(10)]
    return float(sum(gaps) / counts.sum())


def resamples(n_rows: int, n_resamples: int) -> Floats:
    """How often each row is drawn, (n_resamples, n_rows): with replacement, seeded with zero."""
    drawn = np.random.default_rng(0).integers(0, n_rows, (n_resamples, n_rows))
    return np.array([np.bincount(rows, minlength=n_rows) for rows in drawn], dtype=float)


def ends(values: Floats) -> list[float]:
    """The 95 % percentile interval."""
    return [float(end) for end in np.nanquantile(values, [0.025, 0.975])]


def cells(markdown: str, heading: str) -> Iterator[list[str]]:
    """The rows below the head of each table of a section in Markdown, as texts."""
    _, _, section = markdown.partition(f"## {heading}\n")
    lines = section.partition("\n## ")[0].splitlines()
    tables = [line.startswith("|") for line in lines]
    for at, line in enumerate(lines):
        if tables[at] and at > 1 and tables[at - 1] and tables[at - 2]:
            yield [cell.replace("&emsp;", "").strip() for cell in line.strip("| ").split(" | ")]


def blank(image: Floats, colour: ColorType) -> bool:
    """Whether a picture, (height, width, 3 or 4) from 0 to 1, has next to nothing in a colour."""
    like = np.abs(image[:, :, :3] - to_rgb(colour)).max(axis=2) < 0.05
    return bool(like.sum() < FEWEST_PIXELS)
