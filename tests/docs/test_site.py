"""The site as `make docs` builds it: whole, and asking no other host for anything."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from contract.errors import Refused
from docs.site.build import build, generate
from docs.site.check import complaints
from docs.site.staging import code_page, with_links

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGES = ("index", "tutorial", "cycles", "architecture", "reference/use-case", "api/index")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    assert build(folder / "staged", folder / "site") > 100
    return folder / "site"


def test_links_lead_into_the_site() -> None:
    text = "[a](../README.md#b) [c](../pipelines/split.py) [d](gate.md)\n```sh\n[e](x.md)\n```\n"
    staged, linked = with_links(text, "docs/check.md")
    assert staged.startswith("[a](index.md#b) [c](code/pipelines/split.py.md) [d](gate.md)")
    assert "[e](x.md)" in staged
    assert linked == {"pipelines/split.py"}
    assert code_page(".env.example") == "code/env.example.md"


def test_a_broken_link_a_missing_part_and_another_host_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<a href='b.html'>b</a><a href='#c'>c</a><a href='https://example.org'>d</a>"
        "<script src='https://example.org/e.js'></script><h1 id='f'></h1><a href='a.html#f'>f</a>"
    )
    assert complaints(tmp_path) == [
        "a.html: b.html is not there",
        "a.html: #c has no part #c",
        "a.html: https://example.org/e.js is asked of another host",
    ]


def test_a_warning_of_the_generator_stops_the_build(site: Path, tmp_path: Path) -> None:
    assert site.is_dir()  # the generator is installed
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "one page"\n')
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# One\n\n[nowhere](nowhere.md)\n")
    with pytest.raises(Refused, match=r"zensical failed:[^$]*page does not exist"):
        generate(tmp_path)


def test_a_browser_reads_the_site_from_files_and_asks_no_other_host(site: Path) -> None:
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 400, "height": 900})
        page.set_default_timeout(120_000)  # of a machine that is busy
        page.on("request", lambda request: asked.append(request.url))
        for name in PAGES:
            page.goto((site / f"{name}.html").as_uri())
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 400, f"{name} is {width} wide"
        page.goto((site / "cycles.html").as_uri())
        page.wait_for_function("document.querySelectorAll('div.mermaid').length == 4")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.keyboard.press("/")
        page.keyboard.type("rollback")
        page.get_by_text(re.compile(r"^\d+ results$")).wait_for()
        browser.close()
    here = ("file:", "data:", "blob:")
    assert [address for address in asked if not address.startswith(here)] == []
