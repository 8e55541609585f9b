"""The status page and the documents, looked at as people do."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from serving.http.status_page import page as status_page
from serving.scoring.scorer import Predictions, Scorer
from serving.scoring.version import Golden, ServedVersion
from tests.conftest import MADE
from tests.support.accessibility import findings
from tests.support.running import VERSION

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LOOK = os.environ.get("FOURCYCLE_SCREENSHOTS", "")  # a folder to leave pictures in


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that asks no other host for anything, and whose console stays empty."""
    opened = browser.new_page(viewport={"width": 1100, "height": 900})
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    opened.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert [text for text in said if "422" not in text] == []


def look(page: Page, name: str) -> None:
    if LOOK:
        page.screenshot(path=Path(LOOK) / f"{name}.png", full_page=True)


@pytest.mark.browser
def test_the_page_says_what_is_served(page: Page, address: str) -> None:
    page.goto(address)
    said = page.inner_text("body")
    for fact in ("Species of Antarctic penguins", "penguins", VERSION, "multiclass", "344 birds"):
        assert fact in said
    assert re.search(r"in production since\s+20\d\d-\d\d-\d\d \d\d:\d\d UTC", said, re.IGNORECASE)
    links = {
        "the model in MLflow": "http://127.0.0.1:5000/#/models/penguins?workflowType=machine_learning",
        "API documentation": f"{address}/docs",
    }
    for text, target in links.items():
        assert page.get_by_text(text).evaluate("link => link.href") == target
    look(page, "page")


@pytest.mark.browser
def test_the_form_predicts(page: Page, address: str) -> None:
    page.goto(address)
    page.fill("[name=body_mass_g]", "5000")
    page.fill("[name=flipper_length_mm]", "220")
    with page.expect_request("**/predict") as asked:
        page.click("text=Predict")
    assert asked.value.headers["x-source"] == "form"
    page.wait_for_selector("#answer strong")
    said = r"Species: (Adelie|Chinstrap|Gentoo), with a chance of [\d.]+ %\."
    assert re.fullmatch(said, page.inner_text("#answer strong"))
    assert page.get_attribute("#answer", "aria-live") == "polite"
    box = page.locator("#answer strong").bounding_box()
    assert box and 0 <= box["y"] < 900  # in view
    shares = re.findall(r"([\d.]+) %", page.inner_text("#answer table"))
    assert sum(map(float, shares)) == pytest.approx(100, abs=0.2)
    look(page, "form")


@pytest.mark.browser
def test_the_form_shows_what_is_wrong(page: Page, address: str) -> None:
    page.goto(address)
    page.eval_on_selector("[name=island]", "field => field.required = false")
    page.fill("[name=island]", "")
    page.click("text=Predict")
    page.wait_for_selector("#answer.wrong")
    assert "column 'island': string expected, found null" in page.inner_text("#answer")


@pytest.mark.browser
def test_the_documentation_needs_no_other_host(page: Page, address: str) -> None:
    page.goto(f"{address}/docs")
    page.wait_for_selector("text=Predictions for typed rows")
    look(page, "docs")


def test_the_example_of_the_document_is_answered(address: str) -> None:
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    for path in ("/predict", "/invocations"):
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        answer = httpx.post(address + path, json=content["example"])
        assert answer.status_code == 200, answer.text
    schema = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    row = schema["properties"]["rows"]["items"]
    assert row["properties"]["body_mass_g"] == {
        "type": ["number", "null"],
        "x-unit": "g",
        "description": "body mass; in g; usually from 1000 to 10000",
    }
    assert "penguin" not in row["required"]


EVIL = "<script>alert('x')</script>\"'>"


def test_every_text_of_the_use_case_is_escaped(home: Path) -> None:
    evil: UseCase = parse_use_case(MADE, "made.yaml", home).model_copy(
        update={"title": EVIL, "description": EVIL, "owner": EVIL}
    )
    column = evil.columns["colour"].model_copy(
        update={"description": EVIL, "unit": EVIL, "categories": (EVIL,)}
    )
    evil = evil.model_copy(update={"columns": evil.columns | {"colour": column, EVIL: column}})
    served = ServedVersion(EVIL, EVIL, "", evil, Scorer((), (), lambda _: np.empty((0, 1))))
    text = status_page(served, None, [EVIL], f"http://127.0.0.1/{EVIL}", keys=True)
    assert "alert(" not in re.sub(r"&lt;script&gt;alert\(", "", text)
    assert json.dumps(EVIL) not in text


def test_a_null_of_the_example_is_an_empty_field(home: Path) -> None:
    golden = Golden({"colour": ["red"], "size": [None], "group": ["a"]}, Predictions([], None))
    scorer = Scorer((), (), lambda _: np.empty((0, 1)))
    case = parse_use_case(MADE, "made.yaml", home)
    served = ServedVersion("made", "1", "", case, scorer, golden)
    text = status_page(served, None, [], "http://127.0.0.1", keys=False)
    (field,) = re.findall(r'<input[^>]*name="size"[^>]*>', text)
    assert 'value=""' in field
    assert "None" not in text


@pytest.mark.browser
def test_the_page_is_for_everybody(browser: Browser, address: str) -> None:
    assert findings(browser, address, click="text=Predict") == []
