"""Evidently's pages on a sample: to look into what our verdict names. They decide nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contract.statistics.metrics import Scored
from contract.use_case.model import UseCase
from monitoring.measures.answers import classes_of, of_holdout, of_window, unlabelled
from monitoring.measures.distances.registry import statistic_of
from monitoring.report.inert import inert, inert_frame, true_names
from monitoring.windows.reference import Reference, Rows

SAMPLE_ROWS = 10_000  # Evidently's plots, not its tests, take time that grows with the rows
MAX_WORDS = 1_000  # a page with more bars than that can't be read and takes minutes
# MLflow shows a page in a frame about 560 px wide, in which the right half would be cut off.
NARROW = (
    "<style>@media (max-width: 1100px) { html { zoom: 0.75 } } "
    "@media (max-width: 700px) { html { zoom: 0.55 } }</style>"
)
BODY = re.compile(r"<body[^>]*>")
# Evidently's own headline counts columns by one limit, and is often another word than ours.
ON_TOP = (
    '<p style="font: 16px/1.4 sans-serif; margin: 0; padding: 12px 16px; background: #fff4d6; '
    'color: #1c1c1c">The verdict that counts is <b>verdict.html</b> of this run. Evidently draws a '
    f"sample of at most {SAMPLE_ROWS:,} rows and calls a column drifted by its distance alone; our "
    "verdict counts every row and wants a significant difference too, in enough windows for an "
    "alarm. So the headline below may differ.</p>"
)


@dataclass(frozen=True)
class EvidentlyPage:
    """One of Evidently's reports."""

    html: str  # empty where none was asked for
    document: str  # JSON


@dataclass(frozen=True)
class EvidentlyPages:
    """Evidently's reports on a window, and what they lack."""

    pages: Mapping[str, EvidentlyPage]
    rows: int  # of the window, shown
    left_out: Mapping[str, str]  # column: why


NO_PAGES = EvidentlyPages({}, 0, {})  # of a window that was not judged


def draw(sample: Rows, reference: Reference, use_case: UseCase, as_html: bool) -> EvidentlyPages:
    """Inputs against those of training, and answers against those of the holdout.

    Answers come with their quality once there are labels enough; then only labelled rows are shown.
    """
    left_out = {
        n: why for n in use_case.features if (why := unfit(sample.inputs, reference.inputs, n))
    }
    columns = [name for name in use_case.features if name not in left_out]
    classes = classes_of(reference.holdout.answers, use_case)
    arrived = sample.answers[sample.answers["label"].notna()]
    labelled = len(arrived) >= use_case.monitoring.min_labels
    if labelled and use_case.classifies:
        labelled = arrived["label"].nunique() > 1
    answers = (
        of_window(arrived, use_case, classes)
        if labelled
        else unlabelled(sample.answers, use_case, classes)
    )
    holdout = of_holdout(reference.holdout.answers, use_case)
    work: dict[str, Callable[[], EvidentlyPage]] = {
        "answers": lambda: answers_page(answers, holdout, use_case, labelled, as_html)
    }
    if columns:
        work["inputs"] = lambda: inputs_page(
            sample.inputs, reference.inputs, use_case, columns, as_html
        )
    pages = {}
    for name, make in work.items():
        try:
            pages[name] = make()
        except Exception as error:  # of any kind; the verdict does not wait for a drawing
            left_out[f"page {name}"] = f"Evidently failed: {type(error).__name__}: {error}"[:200]
    return EvidentlyPages(pages, min(len(sample), SAMPLE_ROWS), left_out)


def inputs_page(
    window: pd.DataFrame,
    reference: pd.DataFrame,
    use_case: UseCase,
    columns: list[str],
    as_html: bool,
) -> EvidentlyPage:
    """Drift and summary of the input columns."""
    # Evidently takes seconds to import; a window without data never pays for it.
    from evidently import DataDefinition
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    declared = use_case.feature_columns
    words = [n for n in columns if declared[n].type in ("string", "boolean")]
    definition = DataDefinition(
        numerical_columns=[inert(n) for n in columns if n not in words],
        categorical_columns=[inert(n) for n in words],
    )
    options = _drift_options([inert(n) for n in columns], use_case)
    presets = [DataDriftPreset(**options), DataSummaryPreset()]
    sides = (_drawn(frame, columns, words) for frame in (window, reference))
    return _page(presets, definition, as_html, *sides)


def answers_page(
    window: Scored, holdout: Scored, use_case: UseCase, labelled: bool, as_html: bool
) -> EvidentlyPage:
    """Drift of predictions and, where labels have arrived, the quality of the answers."""
    from evidently import DataDefinition
    from evidently.presets import ClassificationPreset, DataDriftPreset, RegressionPreset

    frames = [inert_frame(_answers(side, use_case, labelled)) for side in (window, holdout)]
    columns = [str(name) for name in frames[0]]
    words = [n for n in columns if use_case.classifies and not n.startswith("chance of ")]
    definition: dict[str, Any] = {
        "numerical_columns": [n for n in columns if n not in words],
        "categorical_columns": words,
    }
    presets: list[Any] = [DataDriftPreset(**_drift_options(columns, use_case))]
    if labelled:
        definition |= _task(use_case, columns)
        presets.append(ClassificationPreset() if use_case.classifies else RegressionPreset())
    return _page(presets, DataDefinition(**definition), as_html, *frames)


def unfit(window: pd.DataFrame, reference: pd.DataFrame, name: str) -> str:
    """Why Evidently can't show a column; empty when it can. One column costs only itself."""
    for side, frame in (("window", window), ("reference", reference)):
        if name not in frame:
            return f"missing in the {side}"
        values = frame[name].dropna()
        if values.empty:
            return f"only nulls in the {side}"
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return f"infinite values in the {side}"
        if values.dtype.kind == "O" and values.nunique() > MAX_WORDS:
            return f"more than {MAX_WORDS:,} different words in the {side}"
    if pd.concat([window[name], reference[name]]).nunique() == 1:
        return "constant, the same on both sides"
    return ""


def _drift_options(columns: list[str], use_case: UseCase) -> dict[str, Any]:
    """Our measure and limits, so that Evidently's page says nearly what our verdict says."""
    policy, statistic = use_case.monitoring, statistic_of(use_case.monitoring)
    limits = {n: v for name, v in policy.effect_limits.items() if (n := inert(name)) in columns}
    return {
        "columns": columns,
        "method": statistic.evidently,
        "threshold": policy.effect_limit or statistic.limit,
        "per_column_threshold": limits or None,
        "drift_share": 1 / len(columns),
    }


def _page(
    presets: list[Any],
    definition: Any,
    as_html: bool,
    window: pd.DataFrame,
    reference: pd.DataFrame,
) -> EvidentlyPage:
    from evidently import Dataset, Report

    sides = [Dataset.from_pandas(f, data_definition=definition) for f in (window, reference)]
    done = Report(presets).run(*sides)
    html = done.get_html_str(as_iframe=False) if as_html else ""
    html = html.replace("</head>", f"{NARROW}</head>", 1)
    return EvidentlyPage(BODY.sub(rf"\g<0>{ON_TOP}", html, count=1), true_names(done.json()))


def _drawn(frame: pd.DataFrame, columns: list[str], words: list[str]) -> pd.DataFrame:
    """The first rows, which are a sample: both sides come in random order."""
    chosen = frame.loc[:, columns].head(SAMPLE_ROWS)
    return inert_frame(chosen.astype(dict.fromkeys(words, object)).reset_index(drop=True))


def _answers(scored: Scored, use_case: UseCase, labelled: bool) -> pd.DataFrame:
    columns: dict[str, Any] = {"prediction": scored.prediction}
    if labelled:
        columns["label"] = scored.label
    if use_case.classifies:
        columns = {name: values.astype(str) for name, values in columns.items()}
    if scored.probability is not None:
        for k, name in enumerate(scored.classes):
            columns[f"chance of {name}"] = scored.probability[:, k]
    frame = pd.DataFrame(columns)
    return frame.sample(min(len(frame), SAMPLE_ROWS), random_state=0, ignore_index=True)


def _task(use_case: UseCase, columns: list[str]) -> Mapping[str, Any]:
    from evidently import BinaryClassification, MulticlassClassification, Regression

    chances = [n for n in columns if n.startswith("chance of ")]
    if use_case.task == "regression":
        return {"regression": [Regression(target="label", prediction="prediction")]}
    if use_case.task == "binary":
        positive = inert(str(use_case.positive)) if use_case.positive is not None else ""
        chosen = f"chance of {positive}" if positive else chances[-1]
        task = BinaryClassification(
            target="label",
            prediction_labels="prediction",
            prediction_probas=chosen,
            pos_label=chosen.removeprefix("chance of "),
        )
        return {"classification": [task]}
    task = MulticlassClassification(
        target="label", prediction_labels="prediction", prediction_probas=None
    )
    return {"classification": [task]}
