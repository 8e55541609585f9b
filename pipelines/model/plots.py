"""Figures of an evaluation, drawn without a display; each function gives a matplotlib figure."""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
)

from contract.names import file_name
from contract.statistics.metrics import CALIBRATION_BINS, Scored, positive_index
from contract.use_case.model import UseCase
from pipelines.model.comparison import Comparison
from pipelines.model.importance import REPEATS
from pipelines.model.results import Measured

BLUE, GREY, ORANGE = "#1f5fa8", "#9aa0a6", "#d9772b"
SCATTER_ROWS = 5000
NUMBERED_CLASSES, SHOWN_CLASSES = 12, 60
SHOWN_FEATURES = 40
Texts = npt.NDArray[np.str_]


def figures(
    use_case: UseCase,
    scored: Scored,
    importance: Mapping[str, Measured],
    whole: Measured,
    slices: Mapping[str, Mapping[str, Measured]],
) -> Iterator[tuple[str, Figure]]:
    """Name and figure of every plot that fits the task.

    `whole` is the main metric on all rows, `slices` the same for each column and value.
    """
    if use_case.task == "binary":
        yield "roc", _roc(use_case, scored)
        yield "precision_recall", _precision_recall(use_case, scored)
        yield "calibration", _calibration(use_case, scored)
    if use_case.classifies:
        yield "confusion_matrix", _confusion(scored)
    else:
        yield "residuals", _residuals(use_case, scored)
    if importance:
        yield "importance", _importance(use_case, importance)
    for column, values in slices.items():
        if values:
            yield f"slices_{file_name(column)}", _slices(use_case, column, values, whole)


def gain(comparison: Comparison, champion: str, margin: float) -> Figure:
    """The bootstrapped difference between challenger and champion, with the declared margin."""
    difference, drawn = comparison.difference, np.asarray(comparison.drawn)
    finite = drawn[np.isfinite(drawn)]
    figure, axes = _axes(f"{comparison.metric}: how much better than champion version {champion}?")
    axes.hist(finite, bins=40, color=BLUE, alpha=0.55, label=f"{len(drawn):,} resamples")
    axes.axvline(
        difference.value, color=BLUE, linewidth=2, label=f"measured {difference.value:+.4f}"
    )
    if np.isfinite([difference.low, difference.high]).all():
        label = f"95 % interval {difference.low:+.4f} … {difference.high:+.4f}"
        axes.axvspan(
            difference.low, difference.high, color=GREY, alpha=0.18, linewidth=0, label=label
        )
    label = f"margin: the interval must begin above {-margin:+g}"
    axes.axvline(-margin, color=ORANGE, linewidth=2, linestyle="--", label=label)
    axes.axvline(0, color=GREY, linewidth=1, label="equal")
    axes.set(xlabel="worse  ←  difference, above zero the challenger is better  →  better")
    axes.set_ylabel("resamples")
    figure.legend(loc="outside lower center", frameon=False, fontsize=9, ncols=2)
    return figure


def read_literally() -> None:
    """Let matplotlib draw texts as they are: a name with two dollars is no formula."""
    rcParams["text.parse_math"] = False


def _axes(title: str, size: tuple[float, float] = (6.4, 4.8)) -> tuple[Figure, Axes]:
    read_literally()
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _positive(use_case: UseCase, scored: Scored) -> tuple[np.ndarray, np.ndarray]:
    assert scored.probability is not None, "a classifier answers probabilities"
    index = positive_index(use_case, scored.classes)
    return scored.label == scored.classes[index], scored.probability[:, index]


def _roc(use_case: UseCase, scored: Scored) -> Figure:
    y, p = _positive(use_case, scored)
    figure, axes = _axes(f"ROC on {len(y):,} holdout rows", (5.4, 5.2))
    RocCurveDisplay.from_predictions(
        y,
        p,
        sample_weight=scored.weight,
        ax=axes,
        curve_kwargs={"color": BLUE},
        name=use_case.name,
    )
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="chance")
    axes.legend(loc="lower right", frameon=False)
    return figure


def _precision_recall(use_case: UseCase, scored: Scored) -> Figure:
    y, p = _positive(use_case, scored)
    figure, axes = _axes(f"Precision and recall on {len(y):,} holdout rows")
    PrecisionRecallDisplay.from_predictions(
        y,
        p,
        sample_weight=scored.weight,
        ax=axes,
        curve_kwargs={"color": BLUE},
        name=use_case.name,
    )
    axes.axhline(
        y.mean(), color=GREY, linestyle="--", linewidth=1, label=f"chance ({y.mean():.2f})"
    )
    axes.legend(loc="upper right", frameon=False)
    return figure


def _calibration(use_case: UseCase, scored: Scored) -> Figure:
    y, p = _positive(use_case, scored)
    figure, axes = _axes(
        "Calibration: predicted and observed shares in ten groups of equal size", (5.6, 5.2)
    )
    observed, predicted = calibration_curve(y, p, n_bins=CALIBRATION_BINS, strategy="quantile")
    top = max(observed.max(), predicted.max()) * 1.08
    axes.plot([0, top], [0, top], color=GREY, linestyle="--", linewidth=1, label="perfect")
    axes.plot(predicted, observed, marker="o", color=BLUE, label=use_case.name)
    axes.set(
        xlabel="mean predicted probability", ylabel="observed share", xlim=(0, top), ylim=(0, top)
    )
    axes.legend(loc="upper left", frameon=False)
    return figure


def _confusion(scored: Scored) -> Figure:
    """Shares with their numbers where few classes leave room for them, else shades alone."""
    names, label, prediction = _shown_classes(scored)
    wide = len(names) > NUMBERED_CLASSES
    size = max(5.6, 0.17 * len(names) + 1.6)
    figure, axes = _axes("Confusion matrix, rows sum to one", (size, size - 0.6))
    ConfusionMatrixDisplay.from_predictions(
        label,
        prediction,
        labels=names,
        display_labels=names,
        sample_weight=scored.weight,
        normalize="true",
        include_values=not wide,
        values_format=".2f",
        xticks_rotation="vertical" if wide else "horizontal",
        cmap="Blues",
        colorbar=wide,
        ax=axes,
    )
    if wide:
        axes.tick_params(labelsize=7)
    axes.spines[:].set_visible(True)
    return figure


def _shown_classes(scored: Scored) -> tuple[list[str], Texts, Texts]:
    """Names, labels and predictions as texts; of many classes the rarest are one."""
    names = [str(name) for name in scored.classes]
    label, prediction = scored.label.astype(str), scored.prediction.astype(str)
    if len(names) <= SHOWN_CLASSES:
        return names, label, prediction
    rows = dict(zip(*np.unique(label, return_counts=True), strict=True))
    common = set(sorted(names, key=lambda name: -rows.get(name, 0))[: SHOWN_CLASSES - 1])
    rest = f"{len(names) - len(common)} others"
    known = np.array(sorted(common))
    label, prediction = (np.where(np.isin(v, known), v, rest) for v in (label, prediction))
    return [*(name for name in names if name in common), rest], label, prediction


def _residuals(use_case: UseCase, scored: Scored) -> Figure:
    y, predicted = scored.label.astype(float), scored.prediction.astype(float)
    shown = np.random.default_rng(0).permutation(len(y))[:SCATTER_ROWS]
    unit = use_case.columns[use_case.target].unit
    figure, axes = _axes(f"Residuals on {len(shown):,} of {len(y):,} holdout rows")
    axes.scatter(
        predicted[shown], (y - predicted)[shown], s=5, alpha=0.25, color=BLUE, linewidths=0
    )
    axes.axhline(0, color=ORANGE, linewidth=1)
    low, high = np.quantile(y - predicted, [0.005, 0.995])
    axes.set(
        xlabel=f"predicted [{unit}]", ylabel=f"observed - predicted [{unit}]", ylim=(low, high)
    )
    return figure


def _importance(use_case: UseCase, importance: Mapping[str, Measured]) -> Figure:
    ranked = sorted(importance.items(), key=lambda item: item[1][0])[-SHOWN_FEATURES:]
    metric = use_case.evaluation.metric
    title = f"Permutation importance: loss of {metric}, range of {REPEATS} shuffles"
    if len(importance) > len(ranked):
        title += f", {len(ranked)} of {len(importance)} features"
    figure, axes = _axes(title, (6.4, 0.8 + 0.26 * len(ranked)))
    means, least, most = np.array([lost for _, lost in ranked]).T
    spread = np.clip([means - least, most - means], 0, None)
    names = [name for name, _ in ranked]
    axes.barh(names, means, xerr=spread, color=BLUE, ecolor=ORANGE, capsize=2)
    axes.axvline(0, color=GREY, linewidth=1)
    return figure


def _slices(
    use_case: UseCase, column: str, values: Mapping[str, Measured], whole: Measured
) -> Figure:
    ranked = sorted(values.items(), key=lambda item: item[1][0])
    metric = use_case.evaluation.metric
    figure, axes = _axes(
        f"{metric} by {column}, with 95 % intervals", (6.4, 1.3 + 0.28 * len(ranked))
    )
    middle, low, high = np.array([measured for _, measured in ranked]).T
    places = np.arange(len(ranked))
    axes.hlines(places, low, high, color=BLUE, linewidth=2)
    axes.plot(middle, places, "o", color=BLUE)
    axes.set_yticks(places, [name for name, _ in ranked])
    axes.axvspan(whole[1], whole[2], color=GREY, alpha=0.25, linewidth=0)
    axes.axvline(whole[0], color=GREY, linestyle="--", linewidth=1, label="all rows")
    axes.set(xlabel=metric, ylim=(-0.7, len(ranked) - 0.3))
    axes.legend(loc="best", frameon=False)
    return figure
