"""The model card says what was measured, whatever it is."""

from math import isnan
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.names import TableName
from contract.store.tables import TableVersion
from pipelines.data.validated import Validated
from pipelines.model.model_card import model_card
from pipelines.model.results import Evaluated, Figure, HoldoutSlice, Trained
from tests.conftest import made_use_case
from tests.support.golden import cells

NUMBERS = st.floats(-1e6, 1e6)
NAN = float("nan")  # what the rows do not define
FIGURES = st.builds(Figure, value=NUMBERS, low=NUMBERS, high=NUMBERS) | st.just(
    Figure(value=NAN, low=NAN, high=NAN)
)
NAMES = ("roc_auc", "log_loss", "accuracy")
SLICES = st.builds(
    HoldoutSlice,
    column=st.just("colour"),
    value=st.text("abcdefgh", min_size=1, max_size=5),
    rows=st.integers(1, 10**6),
    figure=st.one_of(st.none(), FIGURES),
)
METRICS = st.fixed_dictionaries(dict.fromkeys(NAMES, FIGURES))
VALUES = st.fixed_dictionaries(dict.fromkeys(NAMES, st.one_of(NUMBERS, st.just(NAN))))


def table(name: TableName, rows: int) -> TableVersion:
    return TableVersion(table=name, version=4, rows=rows, content_hash="0")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(METRICS, VALUES, st.one_of(st.just({}), VALUES), st.lists(SLICES, max_size=12))
def test_every_figure_of_an_evaluation_stands_on_the_card(
    home: Path,
    figures: dict[str, Figure],
    baseline: dict[str, float],
    champion: dict[str, float],
    slices: list[HoldoutSlice],
) -> None:
    evaluated = Evaluated(
        run_id="e",
        metric="roc_auc",
        holdout=table("holdout", 12_345),
        figures=figures,
        baseline=baseline,
        champion="7" if champion else "none",
        champion_figures=champion,
        slices=tuple(slices),
        importance={},
    )
    card = card_of(home, evaluated)
    found = {row[0].strip("*↑↓ "): row[1:] for row in cells(card, "Metrics on the holdout")}
    logged = evaluated.metrics()  # what the run shows
    dash = "–"

    def told(*names: str) -> str:
        return " … ".join(f"{logged[name]:.4f}" if name in logged else dash for name in names)

    assert found == {
        name: [
            told(f"holdout/{name}"),
            told(f"holdout/{name}_low", f"holdout/{name}_high").replace("– … –", dash),
            told(f"baseline/{name}"),
            *([told(f"champion/{name}")] if champion else []),
        ]
        for name in figures
    }
    assert {name: logged.get(f"holdout/{name}", NAN) for name in figures} == pytest.approx(
        {name: figure.value for name, figure in figures.items()}, nan_ok=True
    )
    assert ("champion v7" in card) == bool(champion)
    shown = list(cells(card, "Slices"))
    assert shown == [
        [s.value, f"{s.rows:,}", *said(s.figure)]
        for s in slices[:8]  # the largest
    ]


def said(figure: Figure | None) -> list[str]:
    if figure is None:
        return ["too few rows"]
    if isnan(figure.value):
        return ["–", "–"]
    return [f"{figure.value:.4f}", f"{figure.low:.4f} … {figure.high:.4f}"]


def card_of(home: Path, evaluated: Evaluated) -> str:
    validated = Validated(
        raw=table("raw", 20_000),
        quarantine=table("quarantine", 3),
        delivery=1,
        rows_checked=20_000,
        warnings=(),
        rows_quarantined=3,
        expectations_passed=11,
        expectations_total=12,
    )
    trained = Trained(
        run_id="t",
        model_uri="models:/m-1",
        estimator="LogisticRegression",
        parameters={},
        training=table("training", 7_652),
        holdout=evaluated.holdout,
        prediction_hash="0",
        tune=0,
    )
    return model_card(made_use_case(home), validated, trained, evaluated, {})


def test_rows_and_expectations_stand_on_the_card(home: Path) -> None:
    evaluated = Evaluated(
        run_id="e",
        metric="roc_auc",
        holdout=table("holdout", 12_345),
        figures={},
        baseline={},
        champion="none",
        champion_figures={},
        slices=(),
        importance={},
    )
    card = card_of(home, evaluated)
    assert [row[:2] for row in cells(card, "Data")] == [
        ["training", "7,652"],
        ["holdout, never trained on", "12,345"],
    ]
    assert "11 of 12 expectations passed; 3 rows quarantined." in card
    assert "**rows** 20,000 read" in card
