from datetime import date
from pathlib import Path

from matplotlib.figure import Figure

from pipelines.replaying.picture import draw
from pipelines.replaying.progress import (
    ReplayProgress,
    ReplayRetraining,
    WindowFigures,
    WindowProgress,
    headline,
    markdown,
)
from tests.conftest import made_use_case


def report(version: str, value: float | None, *alarms: str) -> WindowFigures:
    bounds = (None, None) if value is None else (value - 0.01, value + 0.01)
    return WindowFigures(
        version=version,
        status="DRIFT" if alarms else "OK",
        revision=1 if value is None else 2,
        signals=alarms,
        alarms=alarms,
        reasons=("Because.",),
        run_id="r",
        estimated=0.74,
        reference=None if value is None else 0.75,
        value=value,
        low=bounds[0],
        high=bounds[1],
    )


CURES = (
    ReplayRetraining(at=date(2013, 9, 1), state="RETRAIN", version="2", live=True),
    ReplayRetraining(at=date(2013, 10, 1), state="RETRAIN", version="3", live=False),
    ReplayRetraining(at=date(2013, 10, 2), state="TOO_FEW_LABELS", version="", live=False),
)
JULY = WindowProgress(
    start=date(2013, 7, 1),
    end=date(2013, 8, 1),
    version="1",
    rows=1500,
    label_mean=0.322,
    first=report("1", None),
    last=report("1", 0.72, "performance", "columns:wind_speed"),
    cures=CURES,
)
AUGUST = WindowProgress(
    start=date(2013, 8, 1),
    end=date(2013, 9, 1),
    version="2",
    rows=1500,
    first=report("2", None, "columns:a", "columns:b", "columns:c"),
    first_version=0.7,
)
REPLAYED = ReplayProgress(seen=(JULY, AUGUST))


def test_the_table_tells_each_window_in_a_line(home: Path) -> None:
    july, august = markdown(REPLAYED, made_use_case(home)).splitlines()[2:]
    assert july == (
        r"| 2013-07 | 1 | 1,500 | 0.322 | 0.740 | 0.720 \[0.710, 0.730\] | – | OK "
        "| DRIFT, alarm (performance, 1 column) | wind_speed | version 2 live on 2013-09-01; "
        "version 3 refused on 2013-10-01; TOO_FEW_LABELS |"
    )
    assert "| – | 0.740 | – | 0.700 | DRIFT, alarm (3 columns) | – | a, b, c |" in august
    said = headline(REPLAYED, made_use_case(home), {"label_lag_days": "30"})
    assert said.startswith("2 windows, labels 30 days late. roc_auc realised: 0.720 (2013-07).")


def test_the_picture_says_what_was_alarmed_and_what_the_gate_said(home: Path) -> None:
    figure = draw(REPLAYED.seen, made_use_case(home), 30)
    said = texts(figure)
    assert {"alarm:\nperformance\nwind_speed", "alarm:\n3 columns"} <= said
    assert {"version 2 live", "version 3:\nthe gate says no", "32.2%"} <= said


def test_a_window_that_is_asked_again_replaces_what_was_known() -> None:
    again = REPLAYED.noting("labels of August", AUGUST.model_copy(update={"labels": 7}))
    assert [seen.labels for seen in again.seen] == [0, 7]
    assert again.done == ("labels of August",)
    assert ReplayProgress.model_validate_json(again.model_dump_json()) == again
    assert again.window(date(2013, 9, 1), date(2013, 10, 1)).rows == 0


def texts(figure: Figure) -> set[str]:
    """All that is written in the panels."""
    return {text.get_text() for axes in figure.axes for text in axes.texts}


def test_what_was_made_within_the_time_is_written_to_its_right(home: Path) -> None:
    cure = ReplayRetraining(at=date(2013, 7, 16), state="RETRAIN", version="2", live=True)
    seen = (JULY.model_copy(update={"cures": (cure,)}), AUGUST)
    figure = draw(seen, made_use_case(home), 30)
    (said,) = (t for axes in figure.axes for t in axes.texts if t.get_text() == "version 2 live")
    assert said.get_horizontalalignment() == "left"
    assert -0.1 < said.get_position()[0] < 0.1  # the middle of July is 0
