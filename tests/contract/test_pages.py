"""Templates of ours: what they take is text, what they lack is an error, and they are shipped."""

import tomllib
from pathlib import PurePath

import pytest
from jinja2 import UndefinedError

from contract.pages import render, style_sheet
from tests.support.project import PROJECT

PACKAGES = ("contract", "monitoring", "pipelines", "serving")


def test_a_value_is_text_and_every_page_has_the_shared_style() -> None:
    page = render("serving.http", "waiting.html.jinja", trouble=["<b>\"&'"])
    assert "&lt;b&gt;&#34;&amp;&#39;" in page
    assert style_sheet().strip() in page


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="trouble"):
        render("serving.http", "waiting.html.jinja")


def test_what_pages_are_made_of_is_shipped_with_its_package() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    files = [
        file
        for package in PACKAGES
        for file in (PROJECT / package).rglob("*.*")
        if file.suffix not in (".py", ".pyc")
    ]
    assert len(files) > len(PACKAGES)
    assert [f for f in files if not any(PurePath(f.name).match(p) for p in patterns)] == []
