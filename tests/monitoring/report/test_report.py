"""The pages of a report, looked at as people do: in a frame as narrow as MLflow's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page, sync_playwright

from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.monitor import monitor
from monitoring.windows.window import WindowRequest
from tests.serving.http.test_status_page import ARGUMENTS, CHROMIUM
from tests.support import monitored as made

WIDTH = 560  # pixels


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that asks no host for anything, and whose console stays empty."""
    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": WIDTH, "height": 900})
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        yield opened
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []


@pytest.mark.browser
def test_the_verdict_and_evidently_s_pages_are_readable(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables, page: Page
) -> None:
    rows = made.rows(300, 1, shift=1.0)
    made.answer(tables, use_case, rows)
    made.label(tables, rows)
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest())[0]
    page.goto(found.report)
    said = page.inner_text("body")
    for fact in ("WATCH", "size moved", "roc_auc", "colour = red"):
        assert fact in said
    # What stands rightmost in each page lies within the frame.
    for name, rightmost in (("inputs", "Share of Drifted Columns"), ("answers", "Drift Score")):
        page.goto(found.report.replace("verdict.html", f"evidently/{name}.html"))
        box = page.locator(f"text={rightmost}").first.bounding_box()
        assert box and box["x"] + box["width"] <= WIDTH, name
