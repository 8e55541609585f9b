"""The overview as one HTML page without scripts. Pure."""

from collections.abc import Sequence
from datetime import datetime

from contract.pages import render
from pipelines.registry.description import moment
from pipelines.scheduling.overview import wording
from pipelines.scheduling.overview.standing import UseCaseStanding, ordered

OVERVIEW = "overview.html"
DATASETS = "datasets"  # folder beside it: a page for each use case


def page(standings: Sequence[UseCaseStanding], now: datetime, ui_url: str, datasets: bool) -> str:
    """The page; `datasets` says whether pages of tables lie beside it, `ui_url` where MLflow is."""
    return render(
        __package__,
        "overview.html.jinja",
        headline=wording.headline(standings),
        made=moment(now),
        cards=[_card(standing) for standing in ordered(list(standings))],
        ui_url=ui_url.rstrip("/"),
        datasets=DATASETS if datasets else "",
    )


def _card(standing: UseCaseStanding) -> dict[str, object]:
    """A use case as rows of words."""
    verdict = standing.verdict
    return {
        "standing": standing,
        "call": standing.call,
        "called": wording.CALLED[standing.call],
        "reasons": [reason for _, reason in standing.reasons],
        "live": wording.live(standing),
        "qualities": [wording.measured(q) for q in (standing.holdout, standing.realised) if q],
        "verdict": wording.verdict(standing),
        "reason": verdict.reason if verdict else "",
        "report": verdict.report if verdict else "",
        "labels": wording.labels(standing),
        "backlog": wording.backlog(standing),
        "waiting": standing.waiting or "nothing",
        "jobs": [(job.name, wording.job(job), not job.well) for job in standing.jobs],
    }
