"""From the address that `ui` prints to all that a person may ask of a model, by clicks alone."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from contract.use_case.sections.estimator import Estimator
from contract.use_case.sections.release import Release
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.replaying.service_process import free_port
from tests.conftest import settle
from tests.serving.http.test_status_page import ARGUMENTS, CHROMIUM
from tests.support.accessibility import findings
from tests.support.project import PROJECT
from tests.support.turned import Turned, copied

PATIENCE_MS = 60_000
LOOK = os.environ.get("FOURCYCLE_SCREENSHOTS", "")  # a folder to leave pictures in
VIEW = "/#/models?workflowType=machine_learning"


@pytest.fixture(scope="module")
def store(turned: Turned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A champion with two verdicts, and a challenger that waits for a person."""
    folder = tmp_path_factory.mktemp("walk")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        workspace = copied(turned, folder)
        changes = {
            "estimator": Estimator(
                path="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 2}
            ),
            "release": Release(approval="manual"),
        }
        other = workspace.use_case.model_copy(update=changes)
        pipeline(replace(workspace, use_case=other), Rehearsal(), tune=0)
    yield folder


@pytest.fixture(scope="module")
def printed(store: Path) -> Iterator[str]:
    """What `ui` says on standard output once it answers; it ends with us."""
    port = free_port()
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db"}
    command = [sys.executable, "-m", "pipelines.ui", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    with process.stdout:
        line = process.stdout.readline().strip()
    assert (store / ".ui").read_text() == f"http://127.0.0.1:{port}"  # where other links lead
    busy = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert (busy.returncode, busy.stdout) == (2, "")
    assert f"http://127.0.0.1:{port} can't be served" in busy.stderr
    yield line
    process.terminate()
    assert process.wait(30) == 0
    assert not (store / ".ui").exists()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium is installed: sh scripts/debian")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


def look(page: Page, name: str) -> None:
    if LOOK:
        page.screenshot(path=Path(LOOK) / f"walk-{name}.png")


def sees(page: Page, *words: str) -> None:
    for text in words:
        expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)


def opened(page: Page, link: str) -> Page:
    """The page that a link opens in a tab of its own."""
    with page.expect_popup() as popup:
        page.get_by_role("link", name=link, exact=True).first.click(timeout=PATIENCE_MS)
    return popup.value


@pytest.mark.browser
def test_from_the_printed_address_to_everything_about_the_champion(
    printed: str, browser: Browser
) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+" + re.escape(VIEW), printed)
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    # MLflow announces what is new to who comes for the first time.
    news = page.get_by_role("dialog").first
    page.add_locator_handler(news, lambda shown: shown.get_by_role("button").first.click())
    page.goto(printed)
    page.get_by_role("link", name="made", exact=True).first.click(timeout=PATIENCE_MS)
    sees(page, "Live: version 1", "Waiting: version 2")
    look(page, "model")
    runs = opened(page, "training")
    sees(runs, "What is live", "main")
    look(runs, "experiment")

    why = opened(page, "why the gate let it through")
    sees(why, "Version 1: passed", "there is no champion yet")
    look(why, "gate")

    watched = opened(page, "last verdict on it")
    sees(watched, "Newest verdict: DRIFT", "All windows of version 1 in one run")
    report = opened(watched, "its report")
    report.get_by_role("tab", name="Artifacts").click(timeout=PATIENCE_MS)
    report.get_by_text("verdict.html").first.click(timeout=PATIENCE_MS)
    drift = report.frame_locator("iframe").get_by_text("in enough windows for an alarm").first
    expect(drift).to_be_visible(timeout=PATIENCE_MS)
    look(report, "verdict")

    data = opened(page, "the data it learned from")
    sees(data, "made.training.v")
    look(data, "data")

    compared = opened(page, "versions 1 and 2 compared")
    sees(compared, "Comparing 2 Runs from 1 Experiment", "holdout/roc_auc")
    look(compared, "compared")

    card = opened(page, "1")
    sees(card, "csv: rows.csv", "2024-01-01 to", "95 % interval", "every hash: artifact")
    look(card, "card")


@pytest.mark.browser
def test_our_pages_are_for_everybody(turned: Turned, browser: Browser) -> None:
    folder = turned.folder / "mlruns"
    for name in ("verdict.html", "validation/all.html"):
        file = next(folder.glob(f"*/*/artifacts/{name}"))
        assert findings(browser, file.as_uri()) == [], name
