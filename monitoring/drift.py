"""Compare a window with the reference: can it be judged at all, then Evidently per column."""

import json
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from contract.use_case import UseCase

SAMPLE_ROWS = 10_000
SEED = 0
Status = Literal["NO_DATA", "NOT_ENOUGH_DATA", "SCHEMA_CHANGED", "OK", "DRIFT"]


@dataclass(frozen=True)
class DriftReport:
    """What was found; reasons are sentences, `html` and `document` are Evidently's own."""

    status: Status
    reasons: tuple[str, ...]
    columns: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    html: str = ""
    document: str = ""


def compare(window: pd.DataFrame, reference: pd.DataFrame, use_case: UseCase) -> DriftReport:
    """Judge a window of inputs against the reference's inputs."""
    n_rows, wanted = len(window), use_case.monitoring.min_rows
    if not n_rows:
        return DriftReport("NO_DATA", ("The window holds no predictions.",))
    if n_rows < wanted:
        reason = f"The window holds {n_rows} rows, {wanted} are needed to judge it."
        return DriftReport("NOT_ENOUGH_DATA", (reason,))
    notes = {name: note for name in use_case.features if (note := unfit(window, reference, name))}
    columns = tuple(name for name in use_case.features if name not in notes)
    if not columns:
        return DriftReport("SCHEMA_CHANGED", ("No column can be compared.",), notes=notes)
    return _evidently(window, reference, use_case, columns, notes)


def unfit(window: pd.DataFrame, reference: pd.DataFrame, name: str) -> str:
    """Why a column can't be compared; empty when it can. One bad column costs only itself."""
    for side, frame in (("window", window), ("reference", reference)):
        if name not in frame:
            return f"missing in the {side}"
        values = frame[name].dropna()
        if values.empty:
            return f"only nulls in the {side}"
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return f"infinite values in the {side}"
    if (reference[name].dtype.kind in "OUb") != (window[name].dtype.kind in "OUb"):
        return f"was {reference[name].dtype}, is {window[name].dtype}"
    if pd.concat([window[name], reference[name]]).nunique() == 1:
        return "constant, the same on both sides"
    return ""


def _evidently(
    window: pd.DataFrame,
    reference: pd.DataFrame,
    use_case: UseCase,
    columns: tuple[str, ...],
    notes: dict[str, str],
) -> DriftReport:
    # Evidently takes seconds to import; a window without data never pays for it.
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    words = [n for n in columns if use_case.columns[n].type in ("string", "boolean")]
    numbers = [n for n in columns if n not in words]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    sides = [
        Dataset.from_pandas(_sample(frame, columns, words), data_definition=definition)
        for frame in (window, reference)
    ]
    done = Report([DataDriftPreset(), DataSummaryPreset()]).run(*sides)
    document = done.json()
    judged = _column_drift(document)
    drifted = tuple(name for name, (_, is_drifted) in judged.items() if is_drifted)
    reasons = [f"{len(drifted)} of {len(columns)} columns differ from the reference."]
    reasons += [f"{name}: {use_case.columns[name].description or name}" for name in drifted]
    return DriftReport(
        status="DRIFT" if drifted else "OK",
        reasons=tuple(reasons),
        columns=columns,
        drifted=drifted,
        scores={name: score for name, (score, _) in judged.items()},
        notes=notes,
        html=done.get_html_str(as_iframe=False),
        document=document,
    )


def _sample(frame: pd.DataFrame, columns: tuple[str, ...], words: list[str]) -> pd.DataFrame:
    """At most SAMPLE_ROWS seeded rows: Evidently's plots, not its tests, grow with the rows."""
    chosen = frame.loc[:, list(columns)]
    if len(chosen) > SAMPLE_ROWS:
        chosen = chosen.sample(SAMPLE_ROWS, random_state=SEED)
    return chosen.astype(dict.fromkeys(words, object)).reset_index(drop=True)


def _column_drift(document: str) -> dict[str, tuple[float, bool]]:
    """Score and decision of each column, read from Evidently's JSON.

    A score is a p-value (drift below the threshold) or a distance (drift above it), as the method's
    name says.
    """
    found = {}
    for metric in json.loads(document)["metrics"]:
        config = metric["config"]
        if not config["type"].endswith("ValueDrift"):
            continue
        value, limit = float(metric["value"]), float(config["threshold"])
        below = "p_value" in config["method"]
        found[str(config["column"])] = (value, value < limit if below else value >= limit)
    return found
