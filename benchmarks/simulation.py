"""Windows of real flights with a known change in them: detectors are tested as instruments.

Rows are drawn from one shuffled year, so that without a change window and reference come from one
distribution. Cells and answers of every row are computed once; a window is a draw of row numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from contract.statistics.metrics import Floats, Scored, metrics_for
from contract.store.frames import feature_frame
from contract.store.schema import conform
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.bins import NULL, Cell
from monitoring.measures.compare import ColumnSummaries, changes, frozen_columns
from monitoring.measures.performance import Baseline, baseline, fall
from monitoring.measures.tally import ColumnSummary
from monitoring.verdict.evidence import DriftVerdict, PastVerdict, WindowEvidence
from monitoring.verdict.verdict import decide, find
from monitoring.windows.reference import Reference, Rows
from pipelines.model.fit import fit_pipeline

Kind = Literal["none", "covariate", "prior", "concept", "missing"]
KINDS: tuple[Kind, ...] = ("none", "covariate", "prior", "concept", "missing")
Mask = npt.NDArray[np.bool_]

FIT_ROWS = 12_000
HOLDOUT_ROWS = 10_000
POOL_ROWS = 40_000
WEATHER = ("temperature", "dew_point", "humidity")
PARAMETERS = {"max_iter": 20, "learning_rate": 0.25, "min_samples_leaf": 100, "max_leaf_nodes": 15}
TILT = 0.5  # mean temperature moves by about so many standard deviations
LATE_SHARE = 0.4  # of 0.24
FORGOTTEN = 0.6  # share of labels that no longer follow from the inputs
OUTAGE = 0.3  # share of rows without weather


@dataclass(frozen=True)
class Stage:
    """The pool of rows with all that is known of each: cells, chance of being late, label."""

    use_case: UseCase
    frame: pd.DataFrame  # features, (n_pool, n_features)
    reference: Reference
    frozen: ColumnSummaries
    base: Baseline
    cells: dict[str, Cell]
    chance: tuple[Floats, Floats]  # as answered, and as answered without weather
    score: tuple[Cell, Cell]
    late: Mask
    warmth: Floats  # standardised temperature


@dataclass(frozen=True)
class Drawn:
    """One window: rows of the pool, which of them lack weather, and their labels."""

    rows: npt.NDArray[np.int64]
    outage: Mask
    late: Mask


def _with_one_limit(use_case: UseCase) -> UseCase:
    """Without limits of single columns: the simulated changes are those of weather columns."""
    policy = use_case.monitoring.model_copy(update={"effect_limits": {}})
    return use_case.model_copy(update={"monitoring": policy})


def stage(resamples: int = 200, seed: int = 0) -> Stage:
    """Load the flights, fit a small model, and prepare every row of the pool."""
    use_case = _with_one_limit(load_use_case("flights"))
    from use_cases.flights import load

    rows = load().dropna(subset="late")
    rows = rows.sample(FIT_ROWS + HOLDOUT_ROWS + POOL_ROWS, random_state=seed, ignore_index=True)
    table = conform(pa.Table.from_pandas(rows, preserve_index=False), use_case).table
    features, late = feature_frame(table, use_case), rows["late"].to_numpy(dtype=bool)
    model = fit_pipeline(use_case, dict(PARAMETERS), features[:FIT_ROWS], late[:FIT_ROWS])
    held = slice(FIT_ROWS, FIT_ROWS + HOLDOUT_ROWS)
    pool = slice(FIT_ROWS + HOLDOUT_ROWS, None)
    p = model.predict_proba(features[held])
    answers = pd.DataFrame(
        {
            "label": late[held],
            "prediction": p[:, 1] > 0.5,
            "probability_False": p[:, 0],
            "probability_True": p[:, 1],
        }
    )
    holdout = Rows(features[held].reset_index(drop=True), answers)
    sample = features[:FIT_ROWS].sample(10_000, random_state=seed, ignore_index=True)
    reference = Reference(sample, holdout, {})
    frozen = frozen_columns(reference, use_case)
    assert frozen.prediction is not None
    frame = features[pool].reset_index(drop=True)
    chance = model.predict_proba(frame)[:, 1]
    blind = model.predict_proba(frame.assign(**dict.fromkeys(WEATHER, np.nan)))[:, 1]
    warm = frame["temperature"].fillna(frame["temperature"].mean())
    return Stage(
        use_case,
        frame,
        reference,
        frozen,
        baseline(use_case, Scored(late[held], p[:, 1] > 0.5, p, (False, True)), resamples),
        {n: s.cells.of(pa.array(frame[n], from_pandas=True)) for n, s in frozen.features.items()},
        (chance, blind),
        (frozen.prediction.cells.of(pa.array(chance)), frozen.prediction.cells.of(pa.array(blind))),
        late[pool],
        ((warm - warm.mean()) / warm.std()).to_numpy(),
    )


def draw(on: Stage, kind: Kind, strength: float, n_rows: int, random: np.random.Generator) -> Drawn:
    """A window with a change of the given strength, 0 (none) to 1 (the full one)."""
    weight = np.ones(len(on.late))
    if kind == "covariate":
        weight = np.exp(strength * TILT * on.warmth)
    if kind == "prior":
        now = on.late.mean()
        wanted = now + strength * (LATE_SHARE - now)
        weight = np.where(on.late, wanted / now, (1 - wanted) / (1 - now))
    edges = np.cumsum(weight)
    rows = np.searchsorted(edges, random.random(n_rows) * edges[-1])
    late = on.late[rows]
    if kind == "concept":
        forgotten = random.random(n_rows) < strength * FORGOTTEN
        late = np.where(forgotten, random.permutation(late), late)
    share = strength * OUTAGE if kind == "missing" else 0.0
    return Drawn(rows, random.random(n_rows) < share, late)


def evidence(on: Stage, window: Drawn, labelled: bool, policy: Monitoring) -> WindowEvidence:
    """What a window says by itself, with its labels or before they arrive."""
    features = {}
    for name, cells in on.cells.items():
        cell = cells[window.rows]
        if name in WEATHER:
            cell = np.where(window.outage, NULL, cell)
        features[name] = _counted(on.frozen.features[name], cell)
    score = np.where(window.outage, on.score[1][window.rows], on.score[0][window.rows])
    assert on.frozen.prediction is not None and on.frozen.label is not None
    label, realised = None, None
    if labelled:
        label = _counted(on.frozen.label, 1 + window.late.astype(np.int64))
        known = metrics_for(on.use_case, answers(on, window))
        realised = fall(on.base, {on.base.metric: known[on.base.metric]}, *[len(score)] * 2)
    found = ColumnSummaries(features, _counted(on.frozen.prediction, score), label)
    return WindowEvidence(len(score), find(changes(on.frozen, found, policy), policy), realised)


def answers(on: Stage, window: Drawn) -> Scored:
    """The model's answers on a window, with labels."""
    p = np.where(window.outage, on.chance[1][window.rows], on.chance[0][window.rows])
    return Scored(window.late, p > 0.5, np.column_stack([1 - p, p]), (False, True))


def frame(on: Stage, window: Drawn) -> pd.DataFrame:
    """The window's inputs as a frame, for detectors that want rows."""
    rows = on.frame.iloc[window.rows].reset_index(drop=True)
    rows.loc[window.outage, list(WEATHER)] = np.nan
    return rows


def follow(
    on: Stage, windows: Sequence[Drawn], delay: int, policy: Monitoring
) -> list[list[DriftVerdict]]:
    """The verdicts of each step: one on the new window, one on the window whose labels arrive.

    Labels arrive `delay` windows later, 0 at once; a later verdict on a window replaces its first.
    """
    newest: list[DriftVerdict] = []
    steps = []
    for at, window in enumerate(windows):
        made = []
        if delay and at >= delay:
            late = at - delay
            newest[late] = _verdict(on, windows[late], True, newest[:late], policy)
            made.append(newest[late])
        newest.append(_verdict(on, window, delay == 0, newest, policy))
        steps.append([*made, newest[-1]])
    return steps


def delay_of_alarm(steps: Sequence[Sequence[DriftVerdict]], onset: int) -> int | None:
    """Windows from the onset to the first alarm, 1 is the onset's own; None: no alarm."""
    for at in range(onset, len(steps)):
        if any(verdict.alarms for verdict in steps[at]):
            return at - onset + 1
    return None


def changed(
    on: Stage,
    kind: Kind,
    ramp: int,
    n_rows: int,
    seed: int,
    quiet: int = 2,
    length: int = 8,
) -> list[Drawn]:
    """`quiet` windows without a change, then `length` with it; sudden (ramp 1) or growing."""
    random = np.random.default_rng(seed)
    strengths = [0.0] * quiet + [min((i + 1) / ramp, 1.0) for i in range(length)]
    return [draw(on, kind, strength, n_rows, random) for strength in strengths]


def _verdict(
    on: Stage, window: Drawn, labelled: bool, before: Sequence[DriftVerdict], policy: Monitoring
) -> DriftVerdict:
    past = [PastVerdict(frozenset(v.signals), frozenset(v.alarms)) for v in before]
    return decide(evidence(on, window, labelled, policy), past, policy)


def _counted(frozen: ColumnSummary, cell: Cell) -> ColumnSummary:
    counts = np.bincount(cell, minlength=len(frozen.counts)).astype(np.int64)
    return replace(frozen, counts=counts, mean=float("nan"))
