"""Detectors as instruments on made tables that are nothing like flights.

Few distinct answers, thousands of words, 300 columns, 60 classes, a regression: windows are drawn
from the pool that the reference was drawn from, so whatever is seen without a change is a false
alarm. Prints Markdown, for docs/monitoring.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import typer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from benchmarks.detectors import share
from contract.statistics.metrics import Floats, Scored, metrics_for
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.bins import Cell
from monitoring.measures.compare import ColumnSummaries, changes, frozen_columns
from monitoring.measures.distances.registry import DISTANCES
from monitoring.measures.performance import Baseline, baseline, fall
from monitoring.measures.tally import ColumnSummary
from monitoring.verdict.evidence import PastVerdict, WindowEvidence
from monitoring.verdict.verdict import decide, find
from monitoring.windows.reference import PROBABILITY, Reference, Rows

Change = Literal["none", "inputs", "labels"]
Indices = npt.NDArray[np.int64]
Table = tuple[pd.DataFrame, pd.Series, str, Any]  # features, target, task, estimator

FIT_ROWS, HOLDOUT_ROWS, POOL_ROWS = 12_000, 10_000, 40_000
ALL_ROWS = FIT_ROWS + HOLDOUT_ROWS + POOL_ROWS
TILT = 0.5  # the mean of the first column moves by so many standard deviations
FORGOTTEN = 0.6  # share of labels that no longer follow from the inputs
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
DECLARED = """
name: made
title: Made
task: {task}
source: {{csv: rows.csv}}
keys: [id]
target: target
{positive}
columns:
  id: {{type: integer}}
  target: {{type: {kind}}}
{columns}
split: {{by: random}}
estimator: {{path: sklearn.tree.DecisionTreeClassifier}}
evaluation: {{metric: {metric}}}
monitoring: {{performance_margin: {margin}}}
"""


def few_answers(random: np.random.Generator) -> Table:
    """A tree of four leaves: four probabilities are all that it ever answers."""
    frame = pd.DataFrame({f"n{i}": random.normal(size=ALL_ROWS) for i in range(5)})
    late = frame["n0"] + frame["n1"] + random.normal(size=ALL_ROWS) > 1
    return frame, _yes(late), "binary", DecisionTreeClassifier(max_depth=2, random_state=0)


def many_words(random: np.random.Generator) -> Table:
    """A column of 5,000 words, of which most are rare (Zipf), and one of 300."""
    weight = 1 / np.arange(1, 5_001)
    word = random.choice(5_000, ALL_ROWS, p=weight / weight.sum())
    other = random.integers(0, 300, ALL_ROWS)
    number = random.normal(size=ALL_ROWS)
    late = number + (word % 7 - 3) / 3 + random.normal(size=ALL_ROWS) > 1
    frame = pd.DataFrame({"n0": number, "word": _words(word), "other": _words(other)})
    return frame, _yes(late), "binary", _boosting(HistGradientBoostingClassifier)


def many_columns(random: np.random.Generator) -> Table:
    """300 columns, a few of which say something; missing values here and there."""
    values = random.normal(size=(ALL_ROWS, 300))
    late = values[:, :5].sum(axis=1) + random.normal(size=ALL_ROWS) > 1
    values[random.random(values.shape) < 0.02] = np.nan
    frame = pd.DataFrame({f"n{i}": values[:, i] for i in range(300)})
    return frame, _yes(late), "binary", _boosting(HistGradientBoostingClassifier)


def many_classes(random: np.random.Generator) -> Table:
    """60 classes, some twenty times as common as others."""
    frame = pd.DataFrame({f"n{i}": random.normal(size=ALL_ROWS) for i in range(4)})
    at = (frame["n0"] * 8 + frame["n1"] * 4 + random.normal(size=ALL_ROWS) + 30).clip(0, 59)
    kind = pd.Series(_words(at.to_numpy(dtype=int)))
    return frame, kind, "multiclass", DecisionTreeClassifier(max_depth=8, random_state=0)


def numbers(random: np.random.Generator) -> Table:
    """A regression whose target is skewed, as costs are."""
    frame = pd.DataFrame({f"n{i}": random.normal(size=ALL_ROWS) for i in range(6)})
    cost = np.exp(1 + 0.5 * frame["n0"] + 0.3 * frame["n1"] + random.normal(0, 0.4, ALL_ROWS))
    return frame, cost, "regression", _boosting(HistGradientBoostingRegressor)


TABLES: tuple[Callable[[np.random.Generator], Table], ...] = (
    few_answers,
    many_words,
    many_columns,
    many_classes,
    numbers,
)


def _yes(values: npt.ArrayLike) -> pd.Series:
    return pd.Series(np.where(np.asarray(values), "yes", "no"), dtype=object)


def _words(codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.object_]:
    return np.array([f"w{code}" for code in codes], dtype=object)


def _boosting(kind: Any) -> Any:
    """On words by their number: what is learned of them hardly matters here."""
    return kind(max_iter=20, learning_rate=0.25, min_samples_leaf=100, early_stopping=False)


@dataclass(frozen=True)
class TableStage:
    """The pool of a table with all that is known of each row: cells, answer, label."""

    use_case: UseCase
    frozen: ColumnSummaries
    base: Baseline
    features: dict[str, Cell]
    prediction: Cell
    label: Cell
    scored: Scored
    tilt: Floats  # the first column, standardised


def staged(table: Table, distance: str) -> TableStage:
    """Fit, freeze a reference, and prepare every row of the pool."""
    frame, target, task, estimator = table
    fit, held = slice(0, FIT_ROWS), slice(FIT_ROWS, FIT_ROWS + HOLDOUT_ROWS)
    pool = slice(FIT_ROWS + HOLDOUT_ROWS, None)
    use_case = _declared(frame, target, task, distance)
    words = [n for n in map(str, frame) if use_case.columns[n].type == "string"]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    known = frame.copy()
    known[words] = codes.fit_transform(frame[words]) if words else frame[words]
    model = make_pipeline(estimator).fit(known[fit], target[fit])
    of_holdout, of_pool = (_scored(model, known[part], target[part], task) for part in (held, pool))
    reference = Reference(
        frame[fit].sample(10_000, random_state=0, ignore_index=True),
        Rows(frame[held].reset_index(drop=True), _answers(of_holdout)),
        {},
    )
    frozen = frozen_columns(reference, use_case)
    assert frozen.prediction and frozen.label
    answered, first = of_pool.prediction, frame.iloc[:, 0][pool].fillna(0).to_numpy()
    if task == "binary":
        assert of_pool.probability is not None
        answered = of_pool.probability[:, 1]
    return TableStage(
        use_case,
        frozen,
        baseline(use_case, of_holdout),
        {n: s.cells.of(pa.array(frame[n][pool], from_pandas=True)) for n, s in _features(frozen)},
        frozen.prediction.cells.of(pa.array(answered)),
        frozen.label.cells.of(pa.array(of_pool.label)),
        of_pool,
        (first - first.mean()) / first.std(),
    )


def _features(frozen: ColumnSummaries) -> list[tuple[str, ColumnSummary]]:
    return list(frozen.features.items())


def _declared(frame: pd.DataFrame, target: pd.Series, task: str, distance: str) -> UseCase:
    kinds = {n: "string" if frame[n].dtype.kind == "O" else "number" for n in frame}
    text = DECLARED.format(
        task=task,
        positive="positive: 'yes'" if task == "binary" else "",
        kind="number" if task == "regression" else "string",
        columns="\n".join(f"  {n}: {{type: {k}, nullable: true}}" for n, k in kinds.items()),
        metric=METRICS[task],
        margin=0.05 * float(target.std()) if task == "regression" else 0.02,
    )
    use_case = parse_use_case(text, "made.yaml", Path())
    policy = use_case.monitoring.model_copy(update={"distance": distance})
    return use_case.model_copy(update={"monitoring": policy})


def _scored(model: Any, rows: pd.DataFrame, target: pd.Series, task: str) -> Scored:
    if task == "regression":
        return Scored(target.to_numpy(dtype=float), model.predict(rows))
    chances, classes = model.predict_proba(rows), tuple(model.classes_)
    likeliest = np.array(classes, dtype=object)[chances.argmax(axis=1)]
    return Scored(target.to_numpy(dtype=object), likeliest, chances, classes)


def _answers(scored: Scored) -> pd.DataFrame:
    named = {}
    if scored.probability is not None:
        names = [f"{PROBABILITY}{name}" for name in scored.classes]
        named = dict(zip(names, scored.probability.T, strict=True))
    return pd.DataFrame({"label": scored.label, "prediction": scored.prediction, **named})


def drawn(
    on: TableStage, change: Change, n_rows: int, random: np.random.Generator
) -> tuple[Indices, Indices]:
    """Rows of the pool, and the rows whose labels they bear."""
    weight = np.exp(TILT * on.tilt) if change == "inputs" else np.ones(len(on.tilt))
    edges = np.cumsum(weight)
    rows = np.searchsorted(edges, random.random(n_rows) * edges[-1])
    labels = rows
    if change == "labels":
        labels = np.where(random.random(n_rows) < FORGOTTEN, random.permutation(rows), rows)
    return rows, labels


def verdict_on(
    on: TableStage, change: Change, n_rows: int, random: np.random.Generator, past: Sequence[Any]
) -> PastVerdict:
    """What monitoring says of one window, its labels known."""
    policy: Monitoring = on.use_case.monitoring
    rows, labels = drawn(on, change, n_rows, random)
    assert on.frozen.prediction and on.frozen.label
    found = ColumnSummaries(
        {
            name: _counted(on.frozen.features[name], cell[rows])
            for name, cell in on.features.items()
        },
        _counted(on.frozen.prediction, on.prediction[rows]),
        _counted(on.frozen.label, on.label[labels]),
    )
    chances = None if on.scored.probability is None else on.scored.probability[rows]
    answers = Scored(
        on.scored.label[labels], on.scored.prediction[rows], chances, on.scored.classes
    )
    known = metrics_for(on.use_case, answers)
    realised = fall(on.base, {on.base.metric: known[on.base.metric]}, n_rows, n_rows)
    evidence = WindowEvidence(n_rows, find(changes(on.frozen, found, policy), policy), realised)
    said = decide(evidence, past, policy)
    return PastVerdict(frozenset(said.signals), frozenset(said.alarms))


def _counted(frozen: ColumnSummary, cell: Cell) -> ColumnSummary:
    counts = np.bincount(cell, minlength=len(frozen.counts)).astype(np.int64)
    return replace(frozen, counts=counts, mean=float("nan"))


def delay(on: TableStage, change: Change, n_rows: int, seed: int, length: int = 8) -> int | None:
    """Windows from a sudden change to the first alarm, 1 is its own; None: no alarm."""
    random, past = np.random.default_rng(seed), list[PastVerdict]()
    for at in range(length):
        past.append(verdict_on(on, change, n_rows, random, past))
        if past[-1].alarms:
            return at + 1
    return None


def main(
    windows: Annotated[int, typer.Option(help="Windows without a change.")] = 300,
    seeds: Annotated[int, typer.Option(help="Sequences of each kind of change.")] = 10,
    rows: Annotated[int, typer.Option(help="Rows of a window.")] = 1000,
) -> None:
    """Measure, and print a Markdown table."""
    typer.echo("| table | distance | drifted | alarm | inputs change | labels change |")
    typer.echo("|---|---|---|---|---|---|", nl=True)
    for make in TABLES:
        table = make(np.random.default_rng(0))
        for distance in DISTANCES:
            on, random = staged(table, distance), np.random.default_rng(1)
            past: list[PastVerdict] = []
            for _ in range(windows):
                past.append(verdict_on(on, "none", rows, random, past))
            drifted, alarms = (sum(map(bool, found)) for found in _told(past))
            told = [_said(on, change, rows, seeds) for change in ("inputs", "labels")]
            name = make.__name__.replace("_", " ")
            shares = f"{share(drifted, windows)} | {share(alarms, windows)}"
            typer.echo(f"| {name} | `{distance}` | {shares} | {' | '.join(told)} |")


def _told(past: list[PastVerdict]) -> tuple[list[frozenset[str]], list[frozenset[str]]]:
    return [verdict.signals for verdict in past], [verdict.alarms for verdict in past]


def _said(on: TableStage, change: Change, rows: int, seeds: int) -> str:
    delays = [delay(on, change, rows, seed) for seed in range(seeds)]
    found = [one for one in delays if one is not None]
    return f"{len(found)} of {seeds}, after {np.median(found):g}" if found else f"0 of {seeds}"


if __name__ == "__main__":
    typer.run(main)
