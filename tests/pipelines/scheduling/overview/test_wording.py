"""What an overview says in a few lines, and what it asks of people: tables of cases."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.scheduling.overview.page import page
from pipelines.scheduling.overview.standing import (
    JobStanding,
    LiveVersion,
    MeasuredQuality,
    NewestVerdict,
    SpoolBacklog,
    UseCaseStanding,
)
from pipelines.scheduling.overview.wording import LINES, NONE_YET, age, headline, text

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
JOB = JobStanding("monitor", "2026-01-06 02:15", "2026-01-05 02:15", 0, "", True)
WELL = UseCaseStanding(
    name="calm",
    title="Calm",
    owner="ann@example.org",
    description="",
    live=LiveVersion("3", NOON, "the gate passed", "by bob"),
    holdout=MeasuredQuality("roc_auc", 0.75, 0.74, 0.76, "on the holdout"),
    realised=MeasuredQuality("roc_auc", 0.72, 0.7, 0.74, "by the labels of July"),
    verdict=NewestVerdict("OK", "July", "No column moved.", "/#/experiments/1/runs/a"),
    label_coverage=0.5,
    backlog=SpoolBacklog(0, 0.0, 0, ""),
    waiting="",
    waits_for_person=False,
    jobs=(JOB,),
    pipeline="",
    notices=(),
    troubles=(),
    tables=("raw",),
)
CALLS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "well", ""),
    ({"live": LiveVersion("", None, "", "")}, "act", "no version is live"),
    ({"verdict": replace(WELL.verdict, state="DRIFT")}, "act", "DRIFT"),  # type: ignore[type-var]
    ({"verdict": replace(WELL.verdict, state="WATCH")}, "look", "WATCH"),  # type: ignore[type-var]
    ({"verdict": None}, "well", ""),
    ({"jobs": (replace(JOB, failures=2, trouble="why", well=False),)}, "act", "2 times in a row"),
    ({"jobs": (replace(JOB, well=False),)}, "act", "is late"),
    ({"pipeline": "the last pipeline failed"}, "look", "the last pipeline failed"),
    ({"waiting": "version 4 waits", "waits_for_person": True}, "look", "version 4 waits"),
    ({"waiting": "version 4, gate failed"}, "well", ""),
    ({"backlog": SpoolBacklog(9, 1000.0, 0, "")}, "look", "wait for their shipper"),
    ({"backlog": SpoolBacklog(9, 5.0, 0, "")}, "well", ""),
    ({"backlog": SpoolBacklog(0, 0.0, 1, "")}, "act", "can't be brought"),
    ({"notices": ("the source is late",)}, "look", "the source is late"),
    ({"troubles": ("made.yaml is not usable",)}, "look", "made.yaml is not usable"),
]


@pytest.mark.parametrize(("changes", "call", "why"), CALLS)
def test_what_is_asked_of_people(changes: dict[str, Any], call: str, why: str) -> None:
    found = replace(WELL, **changes)
    assert found.call == call
    assert why in " ".join(reason for _, reason in found.reasons)
    assert bool(why) == bool(found.reasons)


def test_all_of_a_use_case_fits_into_a_few_lines() -> None:
    assert text([WELL], "More.").splitlines() == [
        "1 use case: all is well.",
        "  calm, version 3: all is well",
        "    live: version 3 since 2026-01-05 12:00 UTC, because the gate passed (by bob)",
        "    quality: roc_auc 0.750, between 0.740 and 0.760 (95 %) on the holdout; "
        "roc_auc 0.720, between 0.700 and 0.740 (95 %) by the labels of July",
        "    verdict: OK (what comes in looks like what the model learned from), July; "
        "labels: known for 50% of the answers",
        "    waits: nothing; jobs: monitor next 2026-01-06 02:15; backlog: none",
        "More.",
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 11, 40])
def test_twelve_lines_hold_any_number_and_the_urgent_come_first(n: int) -> None:
    many = [replace(WELL, name=f"u{k:02}") for k in range(n)]
    many[-1] = replace(many[-1], verdict=replace(WELL.verdict, state="DRIFT"))  # type: ignore[type-var]
    lines = text(many, "More.").splitlines()
    assert len(lines) <= LINES
    assert lines[1].startswith(f"! u{n - 1:02}")
    assert n <= 10 or lines[-2] == f"  and {n - 9} more"
    assert n == 1 or lines[0] == (f"{n} use cases: somebody must act in 1, all is well in {n - 1}.")


def test_a_store_without_use_cases_says_how_to_begin() -> None:
    assert headline([]) == text([], "More.") == NONE_YET
    assert "fourcycle main" in page([], NOON, "", datasets=False)


def test_no_text_becomes_markup_and_every_fact_is_on_the_page() -> None:
    evil = "<script>alert('x')</script>"
    live = LiveVersion("3", NOON, evil, evil)
    verdict = NewestVerdict("OK", evil, evil, f"/#/{evil}\"'")
    job = replace(JOB, failures=1, trouble=evil)
    backlog = SpoolBacklog(1, 1.0, 1, evil)
    named = dict.fromkeys(("title", "owner", "description", "waiting", "pipeline"), evil)
    changes: dict[str, Any] = {**named, "notices": (evil,), "troubles": (evil,)}
    bad = replace(WELL, live=live, verdict=verdict, jobs=(job,), backlog=backlog, **changes)
    made = page([bad, WELL], NOON, "http://127.0.0.1:5000/", datasets=True)
    assert "<script" not in made
    assert made.count("&lt;script&gt;") >= 12
    for fact in ("0.720", "between 0.700 and 0.740", "July", "50%", "2026-01-06 02:15"):
        assert fact in made
    assert 'href="http://127.0.0.1:5000/#/experiments/1/runs/a"' in made
    assert 'href="datasets/calm.html"' in made
    assert made.index("somebody must act") < made.index("calm")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "120 minutes"),
        (7200, "2 hours"),
        (200_000, "2 days"),
    ],
)
def test_an_age_has_one_unit(seconds: float, said: str) -> None:
    assert age(seconds) == said
